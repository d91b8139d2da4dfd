-- Gives the worker of A.lease the app's lease for A.time, or renews it; replies its
-- epoch, or nothing.
local t = now()
local l = lease()
if A.lease.epoch ~= 0 then
  if l.worker ~= A.lease.worker or l.epoch ~= A.lease.epoch then return {} end
else
  if l.worker ~= A.lease.worker and l.till > t then return {} end
  l.worker, l.epoch = A.lease.worker, l.epoch + 1
end
l.till = t + A.time
call('SET', K .. 'le', cjson.encode(l))
return {tostring(l.epoch)}
