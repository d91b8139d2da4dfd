-- Gives out up to A.limit records that are due, oldest first: for each id,
-- document, state, link.
local f = fenced()
if f then return f end
-- What learners had that made claims on records, before there were leases.
for _, id in ipairs(call('ZRANGE', K .. 'fc', 0, -1)) do
  local m = state(id)
  if m then call('ZADD', K .. 'fd', m.at, id) end
end
call('DEL', K .. 'fc', K .. 'fw')
for _, id in ipairs(call('ZRANGEBYSCORE', K .. 'fr', '-inf', now(), 'LIMIT', 0, 1000)) do
  local m = state(id)
  call('ZREM', K .. 'fr', id)
  if m then call('ZADD', K .. 'fd', m.at, id) end
end
local out = {}
for _, id in ipairs(call('ZRANGE', K .. 'fd', 0, A.limit - 1)) do
  local m = state(id)
  local given = m.claim ~= nil
  if m.claim ~= m.rev then
    m.claim = m.rev
    call('HSET', K .. 'fm', id, cjson.encode(m))
  end
  m.given = given
  out[#out + 1] = id
  out[#out + 1] = call('HGET', K .. 'f', id) or ''
  out[#out + 1] = cjson.encode(m)
  out[#out + 1] = call('HGET', K .. 'fl', id) or ''
end
return out
