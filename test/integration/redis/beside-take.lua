-- Runs a batch of checks twice: on buckets of its own by the fast path, followed by take.lua, and on equal ones by take.lua alone.
--   ARGV  limits, checks and time as take.lua takes them, time may be empty; the bucket of each check, a byte from 1 on;
--         the bucket whose writes are refused, a byte, or 0; what the server has: "clock", "replicate" or both; then each
--         bucket as it is before: K or P and a value, P without a TTL; L a list; empty: absent. First those of the fast path.
-- Returns for each way { whether the fast path answered, the reply, whether effects are replicated, the value and TTL of each bucket }.
-- The TTL is as it was written: -1 none, -2 no key, -3 not written.

local REAL = redis
local BUCKETS = (#ARGV - 6) / 2
local TTL_MS = 10000000

local function createServer (refusedKey)
  local server = { isReplicating = 0, ttls = {} }
  server.pcall = function (command, key, ...)
    if command == 'SET' and key == refusedKey then return { err = 'NOPERM refused' } end
    if command == 'SET' then server.ttls[key] = tonumber((select(3, ...))) end
    return REAL.pcall(command, key, ...)
  end
  server.call = function (command, ...)
    if command == 'TIME' and string.find(ARGV[6], 'clock') then return { '1790000000', '654321' } end
    return REAL.call(command, ...)
  end
  if string.find(ARGV[6], 'replicate') then server.replicate_commands = function () server.isReplicating = 1 end end
  return server
end

local function prepare (key, before)
  REAL.call('DEL', key)
  local kind, value = string.sub(before, 1, 1), string.sub(before, 2)
  if kind == 'L' then REAL.call('RPUSH', key, 'an entry') end
  if kind == 'K' then REAL.call('SET', key, value, 'PX', TTL_MS) end
  if kind == 'P' then REAL.call('SET', key, value) end
end

local function look (key, ttlMs)
  local kind, leftMs = REAL.call('TYPE', key).ok, REAL.call('PTTL', key)
  return { kind == 'string' and REAL.call('GET', key) or kind, ttlMs or (leftMs < 0 and leftMs or -3) }
end

local function try (name, from, runs)
  local all, keys, kept = {}, {}, {}
  for i = 1, BUCKETS do
    all[i] = name .. i
    prepare(all[i], ARGV[from + i])
  end
  for i = 1, #ARGV[4] do keys[i] = all[string.byte(ARGV[4], i)] end
  local server = createServer(all[string.byte(ARGV[5])])
  local reply = false
  local steps = 0
  while not reply do
    for i = 1, BUCKETS do
      local value = REAL.pcall('GET', all[i])
      assert(type(value) == 'table' or value == (ARGV[from + i] ~= '' and string.sub(ARGV[from + i], 2)), 'it wrote before it decided')
    end
    steps = steps + 1
    reply = runs[steps](keys, { ARGV[1], ARGV[2], ARGV[3] ~= '' and ARGV[3] or nil }, server)
  end
  for i = 1, BUCKETS do kept[i] = look(all[i], server.ttls[all[i]]) end
  return { steps, reply, server.isReplicating, kept }
end

return { try('fast:', 6, { fast, slow }), try('slow:', 6 + BUCKETS, { slow }) }
