-- Makes a set the head.
local was = before()
if was then return was end
local f = fenced()
if f then return f end
local head = call('GET', K .. 'hd')
local epoch = head and cjson.decode(head)[1] or 0
if not head and A.lost then epoch = A.base end
if epoch ~= A.base then return {'epoch', tostring(epoch)} end
if A.p and version('p', A.p.id) ~= A.p.version - 1 then return {'version', 'p', A.p.id} end
if not audited(A.audit_from) then return {'audit'} end
call('HSET', K .. 's', A.hash, A.set)
call('HSET', K .. 'h', A.base + 1, A.record)
call('SET', K .. 'hd', cjson.encode({A.base + 1, A.hash}))
for _, r in ipairs(A.rules or {}) do call('HSET', K .. 'r', r.ref, r.doc) end
if A.p then learned('p', A.p) end
audit(A.audits, A.audit_to)
return done({'new'})
