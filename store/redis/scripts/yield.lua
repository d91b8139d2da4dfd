-- Gives the lease back.
local l = lease()
if l.worker == A.lease.worker and l.epoch == A.lease.epoch then
  l.worker, l.till = '', 0
  call('SET', K .. 'le', cjson.encode(l))
end
return {}
