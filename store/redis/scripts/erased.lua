-- Notes that the person A.user is being erased, or (with A.at, when that began)
-- that it is done. What arrived until then is refused from now on.
local was = before()
if was then return was end
local n = call('HINCRBY', K .. 'c', 'ern', 1)
local at = A.at or now()
call('HSET', K .. 'eu', A.user, cjson.encode({n, at, A.at ~= nil}))
return done({'new', tostring(at)})
