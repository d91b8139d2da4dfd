-- Appends chunks of exchanges (ARGV[2] and on) to the log. When some exchanges are
-- there already it changes nothing and lists those; nor when people were erased of
-- whom the sender does not know.
if (tonumber(call('HGET', K .. 'c', 'ern')) or 0) ~= (A.er or 0) then return {'erased'} end
local known = {'known'}
for _, c in ipairs(A.chunks) do
  for _, e in ipairs(c.exchanges) do
    if not c.sid and call('EXISTS', K .. 'x:' .. e.id) == 1 then known[#known + 1] = e.id end
  end
end
if #known > 1 then return known end
local n, bytes
for i, c in ipairs(A.chunks) do
  local data = ARGV[i + 1]
  -- A chunk that is restored has its place and its numbers already.
  local count = c.n or #c.exchanges
  local number = c.number or call('HINCRBY', K .. 'c', 'xn', count) - count + 1
  local sid = call('XADD', K .. 'x', c.sid or '*', 'first', number, 'n', count)
  call('HSET', K .. 'xd', sid, data)
  local ids, responses = {}, {}
  for j, e in ipairs(c.exchanges) do
    ids[j] = e.id
    call('SET', K .. 'x:' .. e.id, sid .. ' ' .. (j - 1), 'EX', A.age)
    if e.r then
      responses[#responses + 1] = {e.r, e.id}
      local r = K .. 'xr:' .. e.r
      local was = call('GET', r)
      was = was and cjson.decode(was)
      if not was or was[1] < e.at or (was[1] == e.at and was[2] < e.id) then
        call('SET', r, cjson.encode({e.at, e.id}), 'EX', A.age)
      end
    end
  end
  local chunk = sid .. ' ' .. c.first
  call('ZADD', K .. 'xz', c.last, chunk)
  call('RPUSH', K .. 'xl', cjson.encode({sid, chunk, count, #data, ids, responses}))
  n = call('HINCRBY', K .. 'c', 'xheld', count)
  bytes = call('HINCRBY', K .. 'c', 'xbytes', #data)
end
-- What leaves the stream leaves nothing behind.
while (n > A.max_n or bytes > A.max_bytes) and call('LLEN', K .. 'xl') > 1 do
  local old = cjson.decode(call('LPOP', K .. 'xl'))
  call('XDEL', K .. 'x', old[1])
  call('HDEL', K .. 'xd', old[1])
  call('ZREM', K .. 'xz', old[2])
  for _, id in ipairs(old[5]) do call('DEL', K .. 'x:' .. id) end
  for _, r in ipairs(old[6]) do
    local was = call('GET', K .. 'xr:' .. r[1])
    if was and cjson.decode(was)[2] == r[2] then call('DEL', K .. 'xr:' .. r[1]) end
  end
  n = call('HINCRBY', K .. 'c', 'xheld', -old[3])
  bytes = call('HINCRBY', K .. 'c', 'xbytes', -old[4])
end
return {'new'}
