-- Appends chunks of exchanges (ARGV[2] and on) to the log. When some exchanges are
-- there already it changes nothing and lists those.
local known = {'known'}
for _, c in ipairs(A.chunks) do
  for _, e in ipairs(c.exchanges) do
    if call('EXISTS', K .. 'x:' .. e.id) == 1 then known[#known + 1] = e.id end
  end
end
if #known > 1 then return known end
local n, bytes
for i, c in ipairs(A.chunks) do
  local data = ARGV[i + 1]
  local count = #c.exchanges
  local last = call('HINCRBY', K .. 'c', 'xn', count)
  local sid = call('XADD', K .. 'x', '*', 'first', last - count + 1, 'n', count, 'd', data)
  for j, e in ipairs(c.exchanges) do
    call('SET', K .. 'x:' .. e.id, sid .. ' ' .. (j - 1), 'EX', A.age)
    if e.r then
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
  call('RPUSH', K .. 'xl', chunk .. ' ' .. count .. ' ' .. #data)
  n = call('HINCRBY', K .. 'c', 'xheld', count)
  bytes = call('HINCRBY', K .. 'c', 'xbytes', #data)
end
while (n > A.max_n or bytes > A.max_bytes) and call('LLEN', K .. 'xl') > 1 do
  local id, from, cnt, size = string.match(call('LPOP', K .. 'xl'), '^(%S+) (%S+) (%d+) (%d+)$')
  call('XDEL', K .. 'x', id)
  call('ZREM', K .. 'xz', id .. ' ' .. from)
  n = call('HINCRBY', K .. 'c', 'xheld', -cnt)
  bytes = call('HINCRBY', K .. 'c', 'xbytes', -size)
end
return {'new'}
