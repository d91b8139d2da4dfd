-- Gives the records to the worker, those that it may still have: for each id,
-- document, state, link.
local till = now() + A.claim
local out = {}
for _, id in ipairs(A.ids) do
  local mine = call('HGET', K .. 'fw', id) == A.worker and call('ZSCORE', K .. 'fc', id)
  local m = (mine or call('ZSCORE', K .. 'fd', id)) and state(id)
  if m then
    call('ZREM', K .. 'fd', id)
    call('ZADD', K .. 'fc', till, id)
    call('HSET', K .. 'fw', id, A.worker)
    local given = m.claim ~= nil
    m.claim, m.by = m.rev, nil
    call('HSET', K .. 'fm', id, cjson.encode(m))
    m.given = given
    out[#out + 1] = id
    out[#out + 1] = call('HGET', K .. 'f', id) or ''
    out[#out + 1] = cjson.encode(m)
    out[#out + 1] = call('HGET', K .. 'fl', id) or ''
  end
end
return out
