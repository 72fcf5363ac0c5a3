-- Sliding window as a log of grants. Twin: lib/algorithms/sliding-window.ts, which explains it. Same names, same results.
-- A log has its newest entry in fields of its own. The older entries are packed as they are stored, oldest first.
-- A packed entry is the time since the entry before it, and its units, in 7-bit groups. The time is doubled whole
-- milliseconds (an even number), or doubled microseconds plus 1. A check reads only the entries that expire.
--   firstUs, newestUs, newestUnits   first grant, last grant and units of the newest entry
--   total                            units in all entries
--   body                             the older entries, packed
--   baseUs, lastUs                   the time that the first of them is relative to; the time of the last of them

-- A stored log may be damaged. Its header is checked when it is read, its body only where it is read anyway: the sums of
-- all entries must be those of the header. A damaged log counts as absent.

local byte, char, sub = string.byte, string.char, string.sub

-- Whether a value was found that no version of this library wrote.
local hasDamage = false

-- More than 128 entries take.
local MAX_BODY_BYTES = 2048

-- More groups than any number has.
local MAX_SCALE = 128 ^ 8

-- Never fails: a number that is cut short ends with zeros.
local function unpackNumber (text, position)
  local group = byte(text, position) or 0
  local number, scale = group % 128, 128
  while group >= 128 and scale < MAX_SCALE do
    position = position + 1
    group = byte(text, position) or 0
    number = number + (group % 128) * scale
    scale = scale * 128
  end
  return number, position + 1
end

local function packNumber (number)
  local text = ''
  while number >= 128 do
    text = text .. char(128 + number % 128)
    number = floor(number / 128)
  end
  return text .. char(number)
end

local function packDelta (us)
  return packNumber(us % 1000 == 0 and us / 500 or 2 * us + 1)
end

local function unpackDelta (text, position)
  local number, after = unpackNumber(text, position)
  return number % 2 == 0 and number * 500 or (number - 1) / 2, after
end

-- The time that an entry keeps once a newer entry follows it.
local function toEntryEndUs (quota, lastGrantUs)
  return quota.windowUs < 3600000000 and lastGrantUs or ceil(lastGrantUs / 1000) * 1000
end

-- Whether the header agrees with itself, and with whether there are older entries.
local function isLog (log)
  local olderUnits = log.total - log.newestUnits
  local hasBody = log.body ~= ''
  return log.newestUnits > 0 and (olderUnits > 0) == hasBody and olderUnits >= 0 and #log.body <= MAX_BODY_BYTES and
    log.baseUs <= log.lastUs and (hasBody or log.baseUs == log.lastUs) and log.lastUs <= log.newestUs and
    log.firstUs <= log.newestUs and log.newestUs < MAX_SAFE_INTEGER
end

-- The flat array of the twin, for rare cases: the clock stepped back, a refund, other numbers.
local function unfoldLog (log)
  local entries, position, us, total = {}, 1, log.baseUs, log.newestUnits
  while position <= #log.body do
    local delta, units
    delta, position = unpackDelta(log.body, position)
    units, position = unpackNumber(log.body, position)
    us, total = us + delta, total + units
    entries[#entries + 1] = { us = us, units = units }
  end
  if us ~= log.lastUs or total ~= log.total then
    hasDamage = true
    return {}
  end
  entries[#entries + 1] = { us = log.newestUs, units = log.newestUnits }
  return entries
end

local function foldLog (entries, firstUs)
  local newest = entries[#entries]
  if newest == nil then return nil end
  local log = { firstUs = firstUs, newestUs = newest.us, newestUnits = newest.units, total = newest.units }
  log.baseUs, log.lastUs = entries[1].us, entries[1].us
  local parts = {}
  for i = 1, #entries - 1 do
    parts[#parts + 1] = packDelta(entries[i].us - log.lastUs) .. packNumber(entries[i].units)
    log.lastUs = entries[i].us
    log.total = log.total + entries[i].units
  end
  log.body = table.concat(parts)
  return log
end

local function clampToNow (quota, log, nowUs)
  if log == nil or log.newestUs <= nowUs then return log, false end
  local entries, units = unfoldLog(log), 0
  while #entries > 0 and nowUs - entries[#entries].us < quota.mergeUs do
    units = units + entries[#entries].units
    entries[#entries] = nil
  end
  if units > 0 then entries[#entries + 1] = { us = nowUs, units = units } end
  return foldLog(entries, nowUs), true
end

-- Returns the log, and whether it is damaged.
local function dropExpired (quota, log, nowUs)
  if log == nil or nowUs - log.newestUs >= quota.windowUs then return nil, false end
  local position, baseUs, total = 1, log.baseUs, log.total
  while position <= #log.body do
    local delta, afterDelta = unpackDelta(log.body, position)
    if nowUs - (baseUs + delta) < quota.windowUs then break end
    local units, afterUnits = unpackNumber(log.body, afterDelta)
    baseUs, total, position = baseUs + delta, total - units, afterUnits
  end
  if position > 1 then
    log.body, log.baseUs, log.total = sub(log.body, position), baseUs, total
    if not isLog(log) then
      hasDamage, log.newestUs = true, nowUs - quota.windowUs
      return nil, true
    end
  end
  return log, false
end

local function computeRetryUs (quota, log, excess, nowUs)
  local position, us, freed = 1, log.baseUs, 0
  while position <= #log.body do
    local delta, units
    delta, position = unpackDelta(log.body, position)
    units, position = unpackNumber(log.body, position)
    us = us + delta
    freed = freed + units
    if freed >= excess then return min(us, log.newestUs) + quota.windowUs - nowUs end
  end
  return log.newestUs + quota.windowUs - nowUs
end

local function writeLogResult (quota, log, nowUs, result)
  local total = log and log.total or 0
  result.log = log
  result.remaining = max(0, quota.max - total)
  result.resetUs = total == 0 and 0 or log.newestUs + quota.windowUs - nowUs
  return result
end

-- Drops expired entries from the given log. result.isClamped means that the log must be written even after a refusal.
local function assessSlidingWindow (quota, stored, cost, nowUs)
  local log, isClamped = clampToNow(quota, stored, nowUs)
  local isDamaged
  log, isDamaged = dropExpired(quota, log, nowUs)
  local used = log and log.total or 0
  local isPossible = cost <= quota.max and quota.max ~= 0
  local granted = isPossible and used + cost <= quota.max
  local result = writeLogResult(quota, log, nowUs, { granted = granted, isClamped = isClamped or isDamaged })
  if granted then
    result.retryUs = 0
    result.remaining = quota.max - used - cost
    if cost > 0 then result.resetUs = quota.windowUs end
  else
    result.retryUs = isPossible and computeRetryUs(quota, log, used + cost - quota.max, nowUs)
  end
  return result
end

local function appendGrant (quota, stored, units, nowUs)
  local log = dropExpired(quota, (clampToNow(quota, stored, nowUs)), nowUs)
  if units == 0 then return log end
  if log == nil then
    return { firstUs = nowUs, newestUs = nowUs, newestUnits = units, total = units, body = '', baseUs = nowUs, lastUs = nowUs }
  end
  local endUs = toEntryEndUs(quota, log.newestUs)
  if nowUs - log.firstUs < quota.mergeUs or nowUs <= endUs then
    log.newestUnits = log.newestUnits + units
  else
    if log.body == '' then log.baseUs, log.lastUs = endUs, endUs end
    log.body = log.body .. packDelta(endUs - log.lastUs) .. packNumber(log.newestUnits)
    log.lastUs = endUs
    log.newestUnits = units
    log.firstUs = nowUs
  end
  log.newestUs = nowUs
  log.total = log.total + units
  return log
end

local function chargeSlidingWindow (quota, stored, units, nowUs)
  local log = dropExpired(quota, (clampToNow(quota, stored, nowUs)), nowUs)
  local used = log and log.total or 0
  log = appendGrant(quota, log, max(0, min(units, 2 * quota.max - used)), nowUs)
  return writeLogResult(quota, log, nowUs, {})
end

local function refundSlidingWindow (quota, stored, refund, nowUs)
  local units, chargedAtUs = refund.units, refund.chargedAtUs
  local log = dropExpired(quota, (clampToNow(quota, stored, nowUs)), nowUs)
  if log and chargedAtUs + quota.windowUs > nowUs then
    local entries = unfoldLog(log)
    local i = 1
    while entries[i] and entries[i].us < chargedAtUs do i = i + 1 end
    if entries[i] then
      local firstUs = log.firstUs
      entries[i].units = entries[i].units - min(units, entries[i].units)
      if entries[i].units == 0 then
        if i == #entries then firstUs = 0 end
        table.remove(entries, i)
      end
      log = foldLog(entries, firstUs)
    end
  end
  return writeLogResult(quota, log, nowUs, {})
end
