// What a response says about limits: Retry-After, X-RateLimit-*, and RateLimit with RateLimit-Policy of
// draft-ietf-httpapi-ratelimit-headers-11. What is malformed is ignored, field by field.

/**
 * What is left of one limit.
 *
 * @typedef {object} Standing
 * @property {number} remaining Units left.
 * @property {number | null} quota Units of the whole limit; `null`: not told.
 * @property {number} resetMs Until the limit is as new.
 */

/**
 * How long a refusal tells to wait: seconds or an HTTP-date (RFC 9110, 10.2.3). `null` where it tells nothing.
 *
 * @param {Headers} headers
 */
export function retryAfterMs (headers) {
  const value = headers.get('retry-after') ?? ''
  if (/^\d+$/.test(value)) return Number(value) * 1000
  const dueMs = httpDateMs(value)
  if (dueMs === null) return null
  // By the server's own clock where it shows it: this machine's may be wrong.
  return Math.max(0, dueMs - (httpDateMs(headers.get('date') ?? '') ?? Date.now()))
}

/** @param {string} text Such as `Sun, 06 Nov 1994 08:49:37 GMT`, or one of the two older forms. */
function httpDateMs (text) {
  if (!/^[A-Z][a-z]+,? .*\d\d:\d\d:\d\d/.test(text)) return null
  const ms = Date.parse(text.endsWith(' GMT') ? text : `${text} GMT`)
  return Number.isNaN(ms) ? null : ms
}

/**
 * The limits that a response tells of, by whichever headers it has.
 *
 * @param {Headers} headers
 * @returns {Standing[]}
 */
export function standingsOf (headers) {
  const standings = draftStandings(headers)
  return standings.length > 0 ? standings : customaryStandings(headers)
}

/** @param {Headers} headers */
function draftStandings (headers) {
  const limits = quotaList(headers.get('ratelimit'), 'r', ['t'])
  const policies = new Map(quotaList(headers.get('ratelimit-policy'), 'q', ['w']))
  return limits.flatMap(([name, { r, t }]) => {
    const policy = policies.get(name)
    // Bytes and connections are not spared by sending requests later.
    if (policy?.qu !== undefined && policy.qu !== 'requests') return []
    if (typeof r !== 'number' || typeof t !== 'number') return []
    return [{ remaining: r, quota: typeof policy?.q === 'number' ? policy.q : null, resetMs: t * 1000 }]
  })
}

/** @param {Headers} headers */
function customaryStandings (headers) {
  const [remaining, quota, reset] = ['remaining', 'limit', 'reset'].map((name) => {
    const value = headers.get(`x-ratelimit-${name}`) ?? ''
    return /^\d{1,15}$/.test(value) ? Number(value) : null
  })
  if (remaining === null || reset === null) return []
  // Seconds from now; some servers send the time itself, in seconds since 1970.
  const seconds = reset < 1e9 ? reset : Math.max(0, reset - Date.now() / 1000)
  return [{ remaining, quota, resetMs: seconds * 1000 }]
}

/**
 * The members of a field that lists limits by name. None where the field is malformed: not a list of Strings, or a
 * member without its required number, or a number that is none.
 *
 * @param {string | null} field
 * @param {string} required
 * @param {readonly string[]} optional
 */
function quotaList (field, required, optional) {
  const members = parseStringList(field ?? '') ?? []
  const isCount = (/** @type {unknown} */ value) => typeof value === 'number' && Number.isInteger(value) && value >= 0
  const isSound = members.every(([, parameters]) =>
    isCount(parameters[required]) && optional.every((name) => parameters[name] === undefined || isCount(parameters[name])))
  return isSound ? members : []
}

// RFC 9651, section 3.3: what an item or a parameter may be. Decimals go before integers, since they begin like one.
const KINDS = {
  string: /"(?:[ !#-[\]-~]|\\["\\])*"/y,
  decimal: /-?\d{1,12}\.\d{1,3}/y,
  integer: /-?\d{1,15}(?![\d.])/y,
  token: /[A-Za-z*][\w!#$%&'*+.^`|~:/-]*/y,
  bytes: /:[A-Za-z0-9+/=]*:/y,
  boolean: /\?[01]/y,
  date: /@-?\d{1,15}(?![\d.])/y,
  display: /%"(?:[ !#-$&-~]|%[0-9a-f]{2})*"/y
}

/**
 * A structured field that lists Strings with parameters, such as `"a";q=20;w=1, "b";q=5000`; `null` where it is none.
 * Strings and numbers of parameters are unpacked, others kept as they are written.
 *
 * @param {string} field
 * @returns {Array<[name: string, parameters: Record<string, string | number | boolean>]> | null}
 */
function parseStringList (field) {
  let at = 0
  /** @param {RegExp} pattern Sticky: it matches right here or not at all. */
  const read = (pattern) => {
    pattern.lastIndex = at
    const text = pattern.exec(field)?.[0]
    if (text !== undefined) at += text.length
    return text
  }
  const readItem = () => {
    for (const [kind, pattern] of Object.entries(KINDS)) {
      const text = read(pattern)
      if (text === undefined) continue
      if (kind === 'string') return text.slice(1, -1).replace(/\\(.)/g, '$1')
      return kind === 'integer' || kind === 'decimal' ? Number(text) : text
    }
    return undefined
  }

  /** @type {Array<[string, Record<string, string | number | boolean>]>} */
  const members = []
  read(/ */y)
  while (at < field.length) {
    const name = field[at] === '"' ? readItem() : undefined
    if (typeof name !== 'string') return null
    /** @type {Record<string, string | number | boolean>} */
    const parameters = Object.create(null) // a parameter may be called `constructor`
    while (read(/; */y) !== undefined) {
      const key = read(/[a-z*][a-z0-9_.*-]*/y)
      const value = key !== undefined && read(/=/y) !== undefined ? readItem() : true
      if (key === undefined || value === undefined) return null
      parameters[key] = value
    }
    members.push([name, parameters])
    read(/[ \t]*/y)
    if (at === field.length) break
    // A comma promises another member.
    if (read(/,[ \t]*/y) === undefined || at === field.length) return null
  }
  return members
}
