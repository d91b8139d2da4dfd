-- Deletes rule sets and rule versions, and replaces audit entries by emptied ones,
-- if the head is still A.head.
local was = before()
if was then return was end
if (call('GET', K .. 'hd') or '') ~= A.head then return {'moved'} end
if not audited(A.audit_from) then return {'audit'} end
for _, hash in ipairs(A.sets or {}) do call('HDEL', K .. 's', hash) end
for _, ref in ipairs(A.rules or {}) do call('HDEL', K .. 'r', ref) end
for _, e in ipairs(A.emptied or {}) do call('HSET', K .. 'au', e.number, e.doc) end
audit(A.audits, A.audit_to)
call('HINCRBY', K .. 'c', 'ern', 1) -- so that every process drops its copies
return done({'new'})
