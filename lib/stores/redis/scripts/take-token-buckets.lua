-- The fast path of most calls: one enforced token bucket per check, all of one limit. The limit has no delay, no penalty
-- and an interval of whole microseconds, and its buckets were written under the same numbers. The function decides before
-- it writes. Every other case returns nil and is left to take.lua, which follows. Redis creates the functions of a script
-- in each call, so the functions below cost time.
-- Arguments and reply: take.lua. Twin of the arithmetic: token-bucket.lua.

local function takeTokenBuckets ()
  if #ARGV[1] ~= 72 then return end
  local pack, unpack, ceil, floor, max, min = struct.pack, struct.unpack, math.ceil, math.floor, math.max, math.min
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
  local checks, position, head = ARGV[2], 1, 'T' .. pack('>I4I4I7', maxUnits, capacity, windowUs)
  local tats, changed, answers = {}, {}, {}
  -- The buckets with leases. Their TAT is in tats, like the others.
  local held, leases, quota = {}, nil, nil
  -- The start of the values of buckets that are ready for leases, and of which nothing is leased. They are decided as those
  -- without leases, and keep it: the slots in it are brought to now by the first request for a lease.
  local ready = {}
  -- What is written of renewed buckets, by the index of their check. Their TAT is false.
  local values, ttls = {}, {}

  local function useLeases ()
    leases = leases or loadLeases()
    quota = quota or { capacity = capacity, intervalUs = intervalUs, intervalNum = 0, intervalDen = 1 }
  end

  local function isReady (stored)
    if #stored ~= 54 or sub(stored, 28, 43) ~= head or sub(stored, 1, 1) ~= 'U' or sub(stored, 9, 9) ~= '\128' or
      sub(stored, 21, 27) ~= '\1\0\0\0\0\0\0' then return false end
    -- A slot that is further away is from before the clock stepped back. The key would live until its end.
    local slotEndUs, gridUs = unpack('>I7xxxxxxxxI4', stored, 2)
    return gridUs > 0 and slotEndUs > 0 and slotEndUs - nowUs <= 3 * gridUs
  end

  -- Returns nothing if the value is for take.lua.
  local function readLeases (stored)
    if #stored ~= 54 or sub(stored, 28, 43) ~= head then return end
    useLeases()
    local bucket = { count = 0, timeUs = unpack('>I7', stored, 44) }
    if not leases.isStored(stored) or not leases.decode(bucket, stored) then return end
    leases.advance(quota, bucket, nowUs)
    return bucket
  end

  -- Lease units of a bucket that granted. Returns what follows its answer, or nothing.
  local function grantLease (key, request)
    local bucket = held[key] or { count = 0 }
    bucket.timeUs = tats[key]
    leases.open(bucket, request.gridUs, nowUs)
    held[key], changed[key] = bucket, true
    local units = leases.lease(quota, bucket, max(0, capacity - ceil((bucket.timeUs - nowUs) / intervalUs)), request, nowUs)
    tats[key] = bucket.timeUs
    local slotEndUs = bucket.slotEndUs + bucket.gridUs
    return units > 0 and pack('>I7I7I7I7', units, slotEndUs - nowUs, slotEndUs, bucket.apart + bucket.apartNext)
  end

  -- A check of no units that renews a lease, for which the bucket is ready. Most checks of busy buckets are this one, so the
  -- steps of lease.lua are written out: readRequest, decode, advance, settle, lease, endUs and encode, in this order.
  -- Returns its answer, or nothing.
  local function renew (key, i)
    local stored = pcall('GET', key)
    if type(stored) ~= 'string' or #stored ~= 54 then return end
    local tag, slotEndUs, mark, gridUs, version, apart, apartNext, storedHead, tatUs =
      unpack('>BI7c8I4BI3I3c16I7', stored)
    if tag ~= 85 or mark ~= '\128\0\0\0\0\0\0\0' or version ~= 1 or storedHead ~= head then return end
    local wantedGridUs, want, soon, firstEndUs, firstSpent, firstReturned, nextEndUs, nextSpent, nextReturned =
      unpack('>I4I4I4I7I4I4I7I4I4', checks, position)
    if gridUs ~= wantedGridUs or gridUs == 0 or slotEndUs == 0 or slotEndUs - nowUs > gridUs then return end
    if slotEndUs <= nowUs then
      tatUs = max(tatUs, slotEndUs + (apart + apartNext) * intervalUs)
      apart, apartNext = apartNext, 0
      if slotEndUs + gridUs <= nowUs then
        tatUs, apart = max(tatUs, slotEndUs + gridUs + apart * intervalUs), 0
      end
      slotEndUs = (floor(nowUs / gridUs) + 1) * gridUs
    end
    tatUs = max(tatUs, nowUs + (apart + apartNext) * intervalUs)
    if tatUs - nowUs >= ceilingUs then return end
    local lastEndUs = slotEndUs + gridUs
    for report = 1, 2 do
      local endUs, spent, returned = firstEndUs, firstSpent, firstReturned
      if report == 2 then endUs, spent, returned = nextEndUs, nextSpent, nextReturned end
      if endUs == slotEndUs then
        returned = min(returned, apart)
        apart = apart - returned - min(spent, apart - returned)
        tatUs = tatUs - returned * intervalUs
      elseif endUs == lastEndUs then
        returned = min(returned, apartNext)
        apartNext = apartNext - returned - min(spent, apartNext - returned)
        tatUs = tatUs - returned * intervalUs
      end
    end
    -- The bucket is still held back: a report frees no more used units than leased ones.
    local backlogUs = tatUs - nowUs
    if backlogUs > capacityUs then return end
    local remaining, units = capacity - ceil(backlogUs / intervalUs), 0
    if want > 0 and remaining > 0 then
      local quarter = floor(remaining / 4)
      units = min(want, max(quarter < 4 and 0 or quarter, min(soon, remaining)), 16777215 - apartNext)
      apartNext, tatUs, backlogUs = apartNext + units, tatUs + units * intervalUs, backlogUs + units * intervalUs
      remaining = capacity - ceil(backlogUs / intervalUs)
    end
    position = position + 42
    local unitsApart = apart + apartNext
    local endUs = max(tatUs, lastEndUs + max(unitsApart * intervalUs, gridUs))
    values[i] = pack('>BI7c8I4BI3I3c16I7I4', 85, slotEndUs, mark, gridUs, 1, apart, apartNext, head, tatUs, 0)
    ttls[i] = format('%d', ceil((endUs - nowUs) / 1000) + marginMs)
    if units == 0 then return pack('>BI7I7I7', 3, max(0, remaining), backlogUs, 0) end
    return pack('>BI7I7I7I7I7I7I7', 67, max(0, remaining), backlogUs, 0, units, lastEndUs - nowUs, lastEndUs, unitsApart)
  end

  for i = 1, #KEYS do
    local key = KEYS[i]
    local size, limitIndex, cost, request
    size, limitIndex, cost, position = unpack('>I1I2I7', checks, position)
    if size ~= 1 or (cost == 0 and limitIndex == 1) then return end
    local tatUs = tats[key]
    local answer = tatUs == nil and cost == 0 and renew(key, i)
    if answer then
      answers[i], tats[key] = answer, false
    else
      -- Renewed in this call, which is rare.
      if tatUs == false then return end
      if not tatUs then
        local stored = pcall('GET', key)
        if not stored then
          tatUs = nowUs
        elseif type(stored) ~= 'string' then
          return
        else
          if #stored == 27 and sub(stored, 1, 16) == head then
            tatUs = unpack('>I7', stored, 17)
          elseif limitIndex == 1 and isReady(stored) then
            ready[key], tatUs = sub(stored, 1, 27), unpack('>I7', stored, 44)
          else
            local bucket = readLeases(stored)
            if not bucket then return end
            held[key], tatUs = bucket, bucket.timeUs
          end
          -- The clock stepped back, which is rare: take.lua handles it.
          if tatUs - nowUs >= ceilingUs then return end
          if tatUs < nowUs then tatUs = nowUs end
        end
      end
      if limitIndex ~= 1 then
        useLeases()
        request, position = leases.readRequest(checks, position)
        if ready[key] then
          held[key], ready[key] = readLeases(ready[key] .. head .. pack('>I7I4', tatUs, 0)), nil
          if not held[key] then return end
        end
        local bucket = held[key]
        if bucket then
          bucket.timeUs, changed[key] = tatUs, true
          leases.settle(quota, bucket, request.reports, nowUs)
          tatUs = bucket.timeUs
        end
      end
      local state, retryUs, nextUs = 0, 9007199254740991, tatUs + cost * intervalUs
      if cost <= capacity then
        local overUs = nextUs - nowUs - capacityUs
        if overUs <= 0 then
          state, retryUs, tatUs = 3, 0, nextUs
          if cost > 0 then changed[key] = true end
        else
          retryUs = held[key] and max(overUs, leases.waitUs(quota, held[key], cost, nowUs)) or overUs
        end
      end
      tats[key] = tatUs
      local lease = state == 3 and request and request.want > 0 and grantLease(key, request)
      -- A key that has lost its TTL is repaired by take.lua.
      if not changed[key] and pcall('PTTL', key) == -1 then return end
      local backlogUs = tats[key] - nowUs
      local remaining = capacity - ceil(backlogUs / intervalUs)
      answers[i] = pack('>I1I7I7I7', lease and 67 or state, remaining > 0 and remaining or 0, backlogUs, retryUs) .. (lease or '')
    end
  end

  local err, broken
  local function write (key, value, ttl)
    local reply = pcall('SET', key, value, 'PX', ttl)
    if not reply.err then return end
    err, broken = reply.err, broken or {}
    broken[key] = true
  end

  for i, value in pairs(values) do write(KEYS[i], value, ttls[i]) end
  for key in pairs(changed) do
    local tatUs, bucket = tats[key], held[key]
    local value, endUs = head .. pack('>I7I4', tatUs, 0), tatUs
    if bucket then
      value = leases.encode(bucket) .. value
      endUs = max(tatUs, leases.endUs(quota, bucket))
    elseif ready[key] then
      local slotEndUs, gridUs = unpack('>I7xxxxxxxxI4', ready[key], 2)
      value, endUs = ready[key] .. value, max(tatUs, slotEndUs + 2 * gridUs)
    end
    write(key, value, format('%d', ceil((endUs - nowUs) / 1000) + marginMs))
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
