-- Logs of sliding windows as lists, for tests: the first time and the total, then the time and the units of each entry.

local function toLog (list)
  local entries = {}
  for i = 3, #list, 2 do entries[#entries + 1] = { us = list[i], units = list[i + 1] } end
  return foldLog(entries, list[1])
end

local function fromLog (log)
  if not log then return { 0, 0 } end
  local list = { log.firstUs, log.total }
  for _, entry in ipairs(unfoldLog(log)) do
    list[#list + 1] = entry.us
    list[#list + 1] = entry.units
  end
  return list
end

