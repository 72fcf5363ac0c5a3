-- Penalty states as stored in Redis, one string of 27 bytes per key:
--   P strikes:4 level:1 start:7 quietFrom:7 block:7
-- A call reads each key once and writes each changed key once, always with its TTL.
-- Twin: lib/stores/memory/penalties.ts and take-under-penalty.ts.

local penaltyStates = {}

-- Fails if no version of this library can have written the value.
local function decodePenaltyState (kept, stored)
  assert(#stored == 27 and sub(stored, 1, 1) == 'P')
  kept.strikes, kept.level, kept.startUs, kept.quietFromUs, kept.blockUs = unpack('>I4I1I7I7I7', stored, 2)
  assert(kept.level <= MAX_LEVELS and max(kept.startUs, kept.quietFromUs, kept.blockUs) < MAX_SAFE_INTEGER)
end

local function createPenaltyState (key)
  return { key = key, startUs = 0, strikes = 0, level = 0, quietFromUs = 0, blockUs = 0 }
end

local function readPenaltyState (key)
  local kept = penaltyStates[key]
  if kept then return kept end
  local stored = redis.pcall('GET', key)
  kept = createPenaltyState(key)
  if type(stored) == 'table' then
    kept.err = stored.err
  elseif stored then
    if not pcall(decodePenaltyState, kept, stored) then
      kept, hasDamage = createPenaltyState(key), true
      kept.isDamaged = true
    end
    kept.isStored = true
  end
  penaltyStates[key] = kept
  return kept
end

-- Take over the state of an entry. It is written once, at the end of the call.
local function savePenaltyState (entry)
  local kept, state = entry.kept, entry.state
  kept.startUs, kept.strikes, kept.level = state.startUs, state.strikes, state.level
  kept.quietFromUs, kept.blockUs, kept.rule = state.quietFromUs, state.blockUs, entry.rule
end

-- The state of a partition under a rule, advanced to now. A copy: a state that is advanced under one rule and not saved
-- must not be used as advanced under the next rule.
local function loadPenaltyEntry (rule, key, nowUs)
  local kept = readPenaltyState(key)
  local entry = { rule = rule, kept = kept, began = false }
  entry.state = {
    startUs = kept.startUs, strikes = kept.strikes, level = kept.level, quietFromUs = kept.quietFromUs, blockUs = kept.blockUs
  }
  local isAhead = advancePenalty(rule, entry.state, nowUs)
  -- A damaged value is replaced or deleted, for it may have no TTL.
  if isAhead or kept.isDamaged or (kept.isStored and not kept.rule and redis.pcall('PTTL', key) == -1) then savePenaltyState(entry) end
  return entry
end

local function addStrikes (entry, strikes, nowUs)
  entry.began = strike(entry.rule, entry.state, strikes, nowUs)
  savePenaltyState(entry)
end

-- Returns the error text of a failed write, or nil.
local function writePenaltyStates (nowUs, marginMs)
  local err
  for key, kept in pairs(penaltyStates) do
    if kept.rule then
      local stored = 'P' .. pack('>I4I1I7I7I7', kept.strikes, kept.level, kept.startUs, kept.quietFromUs, kept.blockUs)
      err = writeKey(key, kept, stored, penaltyTtlUs(kept.rule, kept, nowUs), marginMs) or err
    end
  end
  return err
end
