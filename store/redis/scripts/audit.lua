-- Appends audit entries.
local was = before()
if was then return was end
if not audited(A.audit_from) then return {'audit'} end
audit(A.audits, A.audit_to)
return done({'new'})
