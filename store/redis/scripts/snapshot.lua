-- Copies the app's keys A.keys as they are now, together, and lists those that are
-- there. The copies go by themselves, should nobody delete them.
local was = before()
if was then return was end
local made = {'new'}
for _, k in ipairs(A.keys) do
  local to = K .. 'bk:' .. A.token .. ':' .. k
  if call('COPY', K .. k, to) == 1 then
    call('EXPIRE', to, A.age)
    made[#made + 1] = k
  end
end
call('SET', K .. 't:' .. A.token, cjson.encode(made), 'EX', A.age)
return made
