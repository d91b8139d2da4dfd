-- Adds A.n to the counter A.field, without waking anybody.
local was = before()
if was then return was end
local n = call('HINCRBY', K .. 'c', A.field, A.n)
local reply = {'new', tostring(n)}
call('SET', K .. 't:' .. A.token, cjson.encode(reply), 'EX', 600)
return reply
