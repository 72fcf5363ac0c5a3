-- The fast path of most calls: one enforced token bucket per check, all of one limit. The limit has no delay, no penalty
-- and an interval of whole microseconds. Its buckets have no leases, and were written under the same numbers. The function
-- decides before it writes. Every other case returns nil and is left to take.lua, which follows. Redis creates the functions
-- of a script in each call, so the functions below cost time.
-- Arguments and reply: take.lua. Twin of the arithmetic: token-bucket.lua.

local function takeTokenBuckets ()
  if #ARGV[1] ~= 72 or #ARGV[2] ~= 10 * #KEYS then return end
  local pack, unpack, ceil = struct.pack, struct.unpack, math.ceil
  local algorithm, flags, maxUnits, windowUs, capacity, intervalUs, _, intervalDen, capacityUs, _, ceilingUs =
    unpack('>I1I1I7I7I7I7I7I7I7I7I7', ARGV[1])
  if algorithm ~= 1 or flags ~= 0 or maxUnits == 0 or intervalDen ~= 1 then return end

  local nowUs, marginMs = tonumber(ARGV[3]), 3600000
  if not nowUs then
    if redis.replicate_commands then redis.replicate_commands() end
    local time = redis.call('TIME')
    nowUs, marginMs = time[1] * 1000000 + time[2], 1
  end

  -- Redis formats a number argument as a double with 17 digits, which takes three times as long as a string.
  local pcall, sub, format = redis.pcall, string.sub, string.format
  local checks, head = ARGV[2], 'T' .. pack('>I4I4I7', maxUnits, capacity, windowUs)
  local tats, changed, answers = {}, {}, {}
  for i = 1, #KEYS do
    local key = KEYS[i]
    local size, _, cost = unpack('>I1I2I7', checks, 10 * i - 9)
    if size ~= 1 or cost == 0 then return end
    local tatUs = tats[key]
    if not tatUs then
      local stored = pcall('GET', key)
      if not stored then
        tatUs = nowUs
      elseif type(stored) == 'string' and #stored == 27 and sub(stored, 1, 16) == head then
        tatUs = unpack('>I7', stored, 17)
        -- The clock stepped back, which is rare: take.lua handles it.
        if tatUs - nowUs >= ceilingUs then return end
        if tatUs < nowUs then tatUs = nowUs end
      else
        return
      end
    end
    local state, retryUs, nextUs = 0, 9007199254740991, tatUs + cost * intervalUs
    if cost <= capacity then
      local overUs = nextUs - nowUs - capacityUs
      if overUs <= 0 then
        state, retryUs, tatUs = 3, 0, nextUs
        changed[key] = true
      else
        retryUs = overUs
      end
    end
    if state == 0 and not changed[key] and pcall('PTTL', key) == -1 then return end
    tats[key] = tatUs
    local backlogUs = tatUs - nowUs
    local remaining = capacity - ceil(backlogUs / intervalUs)
    answers[i] = pack('>I1I7I7I7', state, remaining > 0 and remaining or 0, backlogUs, retryUs)
  end

  local err, broken
  for key in pairs(changed) do
    local tatUs = tats[key]
    local reply = pcall('SET', key, head .. pack('>I7I4', tatUs, 0), 'PX', format('%d', ceil((tatUs - nowUs) / 1000) + marginMs))
    if reply.err then
      err, broken = reply.err, broken or {}
      broken[key] = true
    end
  end
  if broken then
    local unanswered = pack('>I1I7I7I7', 4, 0, 0, 0)
    for i = 1, #KEYS do
      if broken[KEYS[i]] then answers[i] = unanswered end
    end
  end
  return { pack('>I7', nowUs) .. table.concat(answers), err or '' }
end

do
  local reply = takeTokenBuckets()
  if reply then return reply end
end
