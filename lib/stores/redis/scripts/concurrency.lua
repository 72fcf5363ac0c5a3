-- Requests in flight of one partition. Twin: lib/algorithms/concurrency.ts, which explains it. Same names, same results.
-- A key has one entry for each process: C, then for each instance:8 sequence:7 slots:4 ends:7 lease:4, the lease in
-- milliseconds. Its TTL is that of the entry that ends last.

local CONCURRENCY, HOLDER_BYTES = 5, 30
local MAX_SLOTS, MAX_LEASE_MS = 1000000, 3600000

local slotKeys = {}

-- Fails if no version of this library can have written the value.
local function decodeHolders (kept, stored, nowUs)
  local holders = {}
  assert(sub(stored, 1, 1) == 'C' and (#stored - 1) % HOLDER_BYTES == 0)
  for position = 2, #stored, HOLDER_BYTES do
    local holder = {}
    holder.instance, holder.sequence, holder.slots, holder.endsUs, holder.leaseMs = unpack('>c8I7I4I7I4', stored, position)
    assert(holder.sequence < MAX_SAFE_INTEGER and holder.slots <= MAX_SLOTS and holder.leaseMs <= MAX_LEASE_MS)
    local lastUs = nowUs + holder.leaseMs * 1000
    if holder.endsUs > lastUs then holder.endsUs, kept.isChanged = lastUs, true end
    -- It was kept before, and stays until its lease ends.
    holder.isKept = holder.slots == 0
    if holder.endsUs > nowUs then holders[#holders + 1] = holder end
  end
  kept.holders = holders
end

local function readHolders (key, nowUs)
  local kept = slotKeys[key]
  if kept then return kept end
  local stored = redis.pcall('GET', key)
  kept = { key = key, holders = {} }
  if type(stored) == 'table' then
    kept.err = stored.err
  elseif stored and not pcall(decodeHolders, kept, stored, nowUs) then
    -- As for a bucket: it is replaced or deleted.
    kept.isChanged, hasDamage = true, true
  end
  slotKeys[key] = kept
  return kept
end

-- The first report of a key in a call is entered. All others of the call are equal to it.
local function enterReport (kept, instance, sequence, slots, leaseMs, nowUs)
  if kept.reported then return kept.reported end
  local known, others = nil, 0
  for i = 1, #kept.holders do
    local holder = kept.holders[i]
    if holder.instance == instance then known = holder else others = others + holder.slots end
  end
  local reported
  if known and known.sequence > sequence then
    reported = { own = known, others = others, isStale = true, base = known.slots, replayed = 0 }
  else
    local replayed = known and known.sequence == sequence and known.slots or 0
    if not known then
      known = { instance = instance }
      kept.holders[#kept.holders + 1] = known
    end
    known.sequence, known.slots, known.endsUs, known.leaseMs = sequence, max(slots, replayed), nowUs + leaseMs * 1000, leaseMs
    reported = { own = known, others = others, isStale = false, base = slots, replayed = replayed }
    kept.isChanged = true
  end
  kept.reported = reported
  return reported
end

-- A look without a report.
local function lookAtHolders (kept)
  local others = 0
  for i = 1, #kept.holders do others = others + kept.holders[i].slots end
  return { own = { slots = 0 }, others = others, isStale = true, base = 0, replayed = 0 }
end

local function assessReported (quota, reported, cost)
  if reported.isStale then return cost == 0 or reported.others + reported.own.slots <= quota.max end
  return reported.base + cost <= reported.replayed or reported.others + reported.base + cost <= quota.max
end

local function takeReported (reported, cost)
  if reported.isStale then return end
  reported.base = reported.base + cost
  reported.own.slots = max(reported.replayed, reported.base)
end

local function countLeft (quota, reported)
  return max(0, quota.max - reported.others - (reported.isStale and reported.own.slots or reported.base))
end

-- Write the changed keys. An entry without slots is dropped, unless an earlier report of its process may still arrive.
-- Returns the error text of a failed write, or nil.
local function writeHolders (nowUs, marginMs)
  local err
  for key, kept in pairs(slotKeys) do
    if kept.isChanged then
      local parts, ttlUs = { 'C' }, 0
      for i = 1, #kept.holders do
        local holder = kept.holders[i]
        if holder.slots > 0 or holder.isKept then
          parts[#parts + 1] = pack('>c8I7I4I7I4', holder.instance, holder.sequence, holder.slots, holder.endsUs, holder.leaseMs)
          ttlUs = max(ttlUs, holder.endsUs - nowUs)
        end
      end
      err = writeKey(key, kept, table.concat(parts), ttlUs, marginMs) or err
    end
  end
  return err
end
