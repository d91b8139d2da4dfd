-- Deletes feedback (A.own), takes the copy of an exchange out of others (A.blank),
-- and makes those and A.again pending.
local was = before()
if was then return was end
for _, e in ipairs(A.own or {}) do
  local m = state(e.id)
  if m then
    m.ret = 1
    put(e.id, m) -- its rating does not count any more
    unqueue(e.id)
    for _, k in ipairs({'f', 'fm', 'fl'}) do call('HDEL', K .. k, e.id) end
    for _, k in ipairs({'ft', 'fn'}) do call('ZREM', K .. k, e.id) end
    if e.session then call('ZREM', K .. 'fi:s:' .. e.session, e.id) end
    if m.user then call('ZREM', K .. 'fi:u:' .. m.user, e.id) end
    if m.ex then
      call('ZREM', K .. 'fi:x:' .. m.ex, e.id)
      call('HDEL', K .. 'fx', m.ex .. '\0u' .. (m.user or ''))
    end
    local k = e.key and call('HGET', K .. 'fk', e.key)
    if k and cjson.decode(k)[1] == e.id then call('HDEL', K .. 'fk', e.key) end
  end
end
for _, id in ipairs(A.aliases or {}) do call('HDEL', K .. 'fa', id) end
for _, e in ipairs(A.blank or {}) do
  if call('HEXISTS', K .. 'fl', e.id) == 1 then
    call('HSET', K .. 'fl', e.id, e.link)
    again(e.id)
  end
end
for _, id in ipairs(A.again or {}) do again(id) end
return done({'new'})
