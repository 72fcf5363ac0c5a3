-- Conducts as Redis holds them, one string of 27 bytes a key:
--   P strikes:4 level:1 start:7 quietFrom:7 block:7
-- A call reads each key once and writes each changed key once, always with its TTL.
-- Twin: lib/stores/memory/penalties.ts and take-under-penalty.ts.

local conducts = {}

local function readConduct (key)
  local kept = conducts[key]
  if kept then return kept end
  local stored = redis.pcall('GET', key)
  kept = { key = key, startUs = 0, strikes = 0, level = 0, quietFromUs = 0, blockUs = 0 }
  if type(stored) == 'table' then
    kept.err = stored.err
  elseif stored and #stored == 27 and sub(stored, 1, 1) == 'P' then
    kept.strikes, kept.level, kept.startUs, kept.quietFromUs, kept.blockUs = unpack('>I4I1I7I7I7', stored, 2)
    kept.isStored = true
  end
  conducts[key] = kept
  return kept
end

-- Take over a suspect's conduct; written once, at the end of the call.
local function keepConduct (suspect)
  local kept, conduct = suspect.kept, suspect.conduct
  kept.startUs, kept.strikes, kept.level = conduct.startUs, conduct.strikes, conduct.level
  kept.quietFromUs, kept.blockUs, kept.rule = conduct.quietFromUs, conduct.blockUs, suspect.rule
end

-- How the partition of a key stands under a rule. A copy: settled under one rule and not kept, it must not count as
-- settled under the next.
local function suspectOf (rule, key, nowUs)
  local kept = readConduct(key)
  local suspect = { rule = rule, kept = kept, began = false }
  suspect.conduct = { startUs = kept.startUs, strikes = kept.strikes, level = kept.level, quietFromUs = kept.quietFromUs, blockUs = kept.blockUs }
  local isAhead = settleConduct(rule, suspect.conduct, nowUs)
  if isAhead or (kept.isStored and not kept.rule and redis.pcall('PTTL', key) == -1) then keepConduct(suspect) end
  return suspect
end

local function strikeSuspect (suspect, strikes, nowUs)
  suspect.began = strike(suspect.rule, suspect.conduct, strikes, nowUs)
  keepConduct(suspect)
end

-- Answers the error text of a write that failed, or nil.
local function writeConducts (nowUs, marginMs)
  local err
  for key, kept in pairs(conducts) do
    if kept.rule then
      local stored = 'P' .. pack('>I4I1I7I7I7', kept.strikes, kept.level, kept.startUs, kept.quietFromUs, kept.blockUs)
      err = writeKey(key, kept, stored, conductLifeUs(kept.rule, kept, nowUs), marginMs) or err
    end
  end
  return err
end
