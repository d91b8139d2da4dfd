-- Marks feedback as taken back and due again.
local id = A.id
local m = state(id)
if not m then
  id = call('HGET', K .. 'fa', A.id)
  m = id and state(id)
  if not m then return {'none'} end
end
if m.ret then return {'same'} end
m.ret, m.rev, m.tries, m.aside = now(), m.rev + 1, nil, nil
unqueue(id)
call('ZADD', K .. 'fd', m.at, id)
put(id, m)
return done({'new'})
