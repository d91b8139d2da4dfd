-- Replaces a chunk of the log (ARGV[2]) that still has the content A.was by one
-- without the exchanges A.gone.
local data = call('HGET', K .. 'xd', A.sid)
if not data then return {'none'} end
if redis.sha1hex(data) ~= A.was then return {'moved'} end
call('HSET', K .. 'xd', A.sid, ARGV[2])
for i, id in ipairs(A.keep or {}) do
  local age = call('PTTL', K .. 'x:' .. id)
  if age > 0 then call('SET', K .. 'x:' .. id, A.sid .. ' ' .. (i - 1), 'PX', age) end
end
for _, e in ipairs(A.gone) do
  call('DEL', K .. 'x:' .. e.id)
  local was = e.r and call('GET', K .. 'xr:' .. e.r)
  if was and cjson.decode(was)[2] == e.id then call('DEL', K .. 'xr:' .. e.r) end
end
return {'new'}
