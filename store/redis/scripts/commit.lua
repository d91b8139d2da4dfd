-- Makes the learner's changes, all or none.
local was = before()
if was then return was end
local f = fenced()
if f then return f end
local t = now()
for _, h in ipairs(A.handled or {}) do
  if not state(h.id) then return {'unknown', h.id} end
end
for _, kind in ipairs({'p', 'g'}) do
  for _, e in ipairs(A[kind] or {}) do
    local v = version(kind, e.id)
    if e.version ~= v + 1 then return {'version', kind, e.id, tostring(v)} end
  end
end
if not audited(A.audit_from) then return {'audit'} end

local function handle(h, m)
  local stale = m.claim and m.claim ~= m.rev
  unqueue(h.id)
  m.claim, m.note, m.tries, m.aside = nil, h.note, h.tries, nil
  if stale then
    call('ZADD', K .. 'fd', m.at, h.id)
    m.tries = nil
  elseif h.aside then
    call('ZADD', K .. 'fz', m.at, h.id)
    m.aside = true
  elseif h.wait then
    call('ZADD', K .. 'fr', t + h.wait, h.id)
  end
  if h.link and (m.ret or not stale) then -- a stale link may show what was erased meanwhile
    call('HSET', K .. 'fl', h.id, h.link)
    m.linked, m.alias, m.step, m.up, m.model = true, h.alias, h.step, h.up, h.model
    if not m.ex and h.ex then
      m.ex = h.ex
      call('ZADD', K .. 'fi:x:' .. h.ex, m.at, h.id)
    end
    if m.ex == h.ex then supersede(h.id, m) end
  end
end

for _, h in ipairs(A.handled or {}) do
  local m = state(h.id)
  if h.begun then m.tries = h.tries else handle(h, m) end
  put(h.id, m)
end
for _, kind in ipairs({'p', 'g'}) do
  for _, e in ipairs(A[kind] or {}) do learned(kind, e) end
end
for _, id in ipairs(A.again or {}) do again(id) end
audit(A.audits, A.audit_to)
return done({'new'})
