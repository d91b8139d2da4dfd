-- Lists up to A.limit records that the worker may have, oldest first: id, time.
local t = now()
for _, id in ipairs(call('ZRANGEBYSCORE', K .. 'fc', '-inf', t, 'LIMIT', 0, 1000)) do
  local m = state(id)
  unclaim(id)
  if m then call('ZADD', K .. 'fd', m.at, id) end
end
for _, id in ipairs(call('ZRANGEBYSCORE', K .. 'fr', '-inf', t, 'LIMIT', 0, 1000)) do
  local m = state(id)
  call('ZREM', K .. 'fr', id)
  if m then call('ZADD', K .. 'fd', m.at, id) end
end
local out = {}
for _, id in ipairs(call('ZRANGE', K .. 'fc', 0, -1)) do
  if call('HGET', K .. 'fw', id) == A.worker then
    out[#out + 1] = id
    out[#out + 1] = tostring(state(id).at)
  end
end
local fd = call('ZRANGE', K .. 'fd', 0, A.limit - 1)
for _, id in ipairs(fd) do
  out[#out + 1] = id
  out[#out + 1] = tostring(state(id).at)
end
return out
