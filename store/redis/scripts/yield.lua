-- Gives the lease back, or without one ends whoever's it is.
local l = lease()
if not A.lease or l.worker == A.lease.worker and l.epoch == A.lease.epoch then
  l.worker, l.till = '', 0
  call('SET', K .. 'le', cjson.encode(l))
end
return {}
