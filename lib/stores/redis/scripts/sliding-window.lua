-- Sliding window as a log of grants. Twin: lib/algorithms/sliding-window.ts, which explains it. Same names, same results.
-- A log has its newest entry in fields of its own. The older entries are packed as they are stored, oldest first.
-- A packed entry is the time since the entry before it, and its units, in 7-bit groups. The time is doubled whole
-- milliseconds (an even number), or doubled microseconds plus 1. A check reads only the entries that expire.
--   firstUs, newestUs, newestUnits   first grant, last grant and units of the newest entry
--   total                            units in all entries
--   body                             the older entries, packed
--   baseUs, lastUs                   the time that the first of them is relative to; the time of the last of them

local byte, char, sub = string.byte, string.char, string.sub

local function unpackNumber (text, position)
  local group = byte(text, position)
  local number, scale = group % 128, 128
  while group >= 128 do
    position = position + 1
    group = byte(text, position)
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

-- The flat array of the twin, for rare cases: the clock stepped back, a refund, other numbers.
local function unfoldLog (log)
  local entries, position, us = {}, 1, log.baseUs
  while position <= #log.body do
    local delta, units
    delta, position = unpackDelta(log.body, position)
    units, position = unpackNumber(log.body, position)
    us = us + delta
    entries[#entries + 1] = { us = us, units = units }
  end
  if log.newestUnits > 0 then entries[#entries + 1] = { us = log.newestUs, units = log.newestUnits } end
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
  entries[#entries + 1] = { us = nowUs, units = units }
  return foldLog(entries, nowUs), true
end

local function dropExpired (quota, log, nowUs)
  if log == nil or nowUs - log.newestUs >= quota.windowUs then return nil end
  local position, baseUs = 1, log.baseUs
  while position <= #log.body do
    local delta, afterDelta = unpackDelta(log.body, position)
    if nowUs - (baseUs + delta) < quota.windowUs then break end
    local units, afterUnits = unpackNumber(log.body, afterDelta)
    baseUs = baseUs + delta
    log.total = log.total - units
    position = afterUnits
  end
  if position > 1 then
    log.body = sub(log.body, position)
    log.baseUs = baseUs
  end
  return log
end

local function computeRetryUs (quota, log, excess, nowUs)
  local position, us, freed = 1, log.baseUs, 0
  while position <= #log.body do
    local delta, units
    delta, position = unpackDelta(log.body, position)
    units, position = unpackNumber(log.body, position)
    us = us + delta
    freed = freed + units
    if freed >= excess then return us + quota.windowUs - nowUs end
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
  log = dropExpired(quota, log, nowUs)
  local used = log and log.total or 0
  local isPossible = cost <= quota.max and quota.max ~= 0
  local granted = isPossible and used + cost <= quota.max
  local result = writeLogResult(quota, log, nowUs, { granted = granted, isClamped = isClamped })
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
