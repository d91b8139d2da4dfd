-- Adds feedback. A.tok is of the journal's entry: the same one again changes
-- nothing. With A.acked somebody was told that it is kept, so it is kept.
local was = state(A.id)
if was then
  if was.tok == A.tok then return {'new'} end
  return {'reused'}
end
-- What a person said before the sender knew that they were erased goes with the
-- rest, but for what is clearly from afterwards.
local e = A.user and call('HGET', K .. 'eu', A.user)
if e then
  e = cjson.decode(e)
  if (A.er or 0) < e[1] and A.at <= e[2] + A.skew then return {'erased'} end
end
if A.key then
  local k = call('HGET', K .. 'fk', A.key)
  if k then
    local first = cjson.decode(k)
    if first[2] == A.digest then
      if A.acked and first[1] ~= A.id then call('HSET', K .. 'fa', A.id, first[1]) end
      return {'first', first[1]}
    end
    if not A.acked then return {'reused'} end
  else
    call('HSET', K .. 'fk', A.key, cjson.encode({A.id, A.digest or ''}))
  end
end
local n = call('HINCRBY', K .. 'c', 'fn', 1)
local m = {n = n, at = A.at, tok = A.tok, ex = A.ex, user = A.user, src = A.src, rating = A.rating, rev = 0}
call('HSET', K .. 'f', A.id, ARGV[2])
call('ZADD', K .. 'ft', A.at, A.id)
call('ZADD', K .. 'fn', n, A.id)
call('ZADD', K .. 'fd', A.at, A.id)
if A.ex then call('ZADD', K .. 'fi:x:' .. A.ex, A.at, A.id) end
if A.session then call('ZADD', K .. 'fi:s:' .. A.session, A.at, A.id) end
if A.user then call('ZADD', K .. 'fi:u:' .. A.user, A.at, A.id) end
supersede(A.id, m)
put(A.id, m)
return done({'new'})
