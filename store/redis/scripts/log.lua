-- Appends one chunk of exchanges (ARGV[2]) to the log. When some of them are
-- there already it changes nothing and lists those.
local known = {'known'}
for _, e in ipairs(A.exchanges) do
  if call('EXISTS', K .. 'x:' .. e.id) == 1 then known[#known + 1] = e.id end
end
if #known > 1 then return known end
local count = #A.exchanges
local last = call('HINCRBY', K .. 'c', 'xn', count)
local sid = call('XADD', K .. 'x', '*', 'first', last - count + 1, 'n', count, 'd', ARGV[2])
for i, e in ipairs(A.exchanges) do
  call('SET', K .. 'x:' .. e.id, sid .. ' ' .. (i - 1), 'EX', A.age)
  if e.r then
    local r = K .. 'xr:' .. e.r
    local was = call('GET', r)
    was = was and cjson.decode(was)
    if not was or was[1] < e.at or (was[1] == e.at and was[2] < e.id) then
      call('SET', r, cjson.encode({e.at, e.id}), 'EX', A.age)
    end
  end
end
call('ZADD', K .. 'xz', A.last, sid)
call('RPUSH', K .. 'xl', sid .. ' ' .. count .. ' ' .. #ARGV[2])
local n = call('HINCRBY', K .. 'c', 'xheld', count)
local bytes = call('HINCRBY', K .. 'c', 'xbytes', #ARGV[2])
while (n > A.max_n or bytes > A.max_bytes) and call('LLEN', K .. 'xl') > 1 do
  local id, cnt, size = string.match(call('LPOP', K .. 'xl'), '^(%S+) (%d+) (%d+)$')
  call('XDEL', K .. 'x', id)
  call('ZREM', K .. 'xz', id)
  n = call('HINCRBY', K .. 'c', 'xheld', -cnt)
  bytes = call('HINCRBY', K .. 'c', 'xbytes', -size)
end
return {'new'}
