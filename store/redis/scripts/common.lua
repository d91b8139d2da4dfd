-- KEYS[1] is the beginning of every key of the app; ARGV[1] is JSON.
local K = KEYS[1]
local A = cjson.decode(ARGV[1])
local call = redis.call

local function now()
  local t = call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- done remembers the change and tells everybody.
local function done(reply)
  call('HINCRBY', K .. 'c', 'seq', 1)
  if A.token then call('SET', K .. 't:' .. A.token, cjson.encode(reply), 'EX', 600) end
  redis.pcall('PUBLISH', A.channel, A.app) -- a user without the channel's right must not undo the change
  return reply
end

-- before is the reply of the same change, made before.
local function before()
  local was = A.token and call('GET', K .. 't:' .. A.token)
  return was and cjson.decode(was)
end

local function state(id)
  local m = call('HGET', K .. 'fm', id)
  return m and cjson.decode(m)
end

-- put writes the state of a feedback record and keeps the sums of ratings.
local function put(id, m)
  local r
  if m.linked and not m.ret and not m.sup and m.rating and m.rating ~= 0 then
    r = cjson.encode({m.alias or '', m.step or '', m.up or '', m.model or '', m.rating > 0})
  end
  if r ~= m.rt then
    if m.rt and call('HINCRBY', K .. 'rt', m.rt, -1) <= 0 then call('HDEL', K .. 'rt', m.rt) end
    if r then call('HINCRBY', K .. 'rt', r, 1) end
    m.rt = r
  end
  call('HSET', K .. 'fm', id, cjson.encode(m))
end

-- supersede settles which record of its person on its exchange holds. The newest
-- 64 of one person on one exchange are compared.
local function supersede(id, m)
  if not m.ex then return end
  local field = m.ex .. '\0' .. (m.user and ('u' .. m.user) or ('s' .. (m.src or '')))
  local was = call('HGET', K .. 'fx', field)
  local list = was and cjson.decode(was) or {}
  local at = #list + 1
  for i, e in ipairs(list) do
    if e[2] == id then return end
    if e[1] > m.n then at = i break end
  end
  for i = 1, at - 1 do
    local o = state(list[i][2])
    if o and not o.sup then
      o.sup = id
      put(list[i][2], o)
    end
  end
  if list[at] and not m.sup then m.sup = list[at][2] end
  table.insert(list, at, {m.n, id})
  if #list > 64 then table.remove(list, 1) end
  call('HSET', K .. 'fx', field, cjson.encode(list))
end

-- lease is the app's newest lease.
local function lease()
  local l = call('GET', K .. 'le')
  return l and cjson.decode(l) or {worker = '', epoch = 0, till = 0}
end

-- fenced is the reply when A.lease is not the app's, or not any more.
local function fenced()
  local l = A.lease and lease()
  if l and (l.worker ~= A.lease.worker or l.epoch ~= A.lease.epoch or l.epoch == 0) then
    return {'fenced', tostring(l.epoch), l.worker}
  end
end

-- unqueue takes the record from all queues.
local function unqueue(id)
  for _, k in ipairs({'fd', 'fr', 'fz'}) do call('ZREM', K .. k, id) end
end

-- again makes the record pending, whoever had it and whatever came of it.
local function again(id)
  local m = state(id)
  if not m then return end
  m.rev, m.tries, m.aside = m.rev + 1, nil, nil
  unqueue(id)
  call('ZADD', K .. 'fd', m.at, id)
  put(id, m)
end

-- audited reports whether the audit trail still ends where the entries begin.
local function audited(from)
  if not from then return true end
  return (call('GET', K .. 'ah') or '') == from
end

local function audit(entries, last)
  if not entries then return end
  for _, e in ipairs(entries) do call('HSET', K .. 'au', e.number, e.doc) end
  call('SET', K .. 'ah', last)
end

-- version is a proposal's (p) or finding's (g).
local function version(kind, id)
  return tonumber(call('HGET', K .. kind .. 'v', id) or 0)
end

local function learned(kind, e)
  local was = call('HGET', K .. kind .. 's', e.id)
  if was then call('ZREM', K .. kind .. 'z:' .. was, e.id) end
  local n = call('HINCRBY', K .. 'c', 'chg', 1)
  call('HSET', K .. kind, e.id, e.doc)
  call('HSET', K .. kind .. 'v', e.id, e.version)
  call('HSET', K .. kind .. 's', e.id, e.state)
  call('ZADD', K .. kind .. 'z', n, e.id)
  call('ZADD', K .. kind .. 'z:' .. e.state, n, e.id)
end

