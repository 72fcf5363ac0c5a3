// fetch that keeps to rate limits: it waits as long as a refusal says, and slows down before there is one. Copy this
// file and rate-limit-fields.js; both run in Node.js 20 and later, in browsers, Deno and Bun.
import { retryAfterMs, standingsOf } from './rate-limit-fields.js'

/**
 * @typedef {object} PoliteOptions
 * @property {number} [maxAttempts] Requests that one call may send. Default 5.
 * @property {number} [maxTotalMs] How long one call may take until the response's headers are there. Default 60,000.
 * @property {number} [maxWaitMs] The longest single wait; told to wait longer, a call gives up at once. Default 30,000.
 * @property {number} [backoffMs] The longest first wait where nobody says how long; it doubles each time. Default 500.
 * @property {boolean} [retryUnsafe] Whether a POST or PATCH is sent again though it may have been processed. Default false.
 * @property {number} [slowBelow] The share of a limit below which requests are spread over time; 0 never. Default 0.2.
 * @property {number} [maxSlowMs] The longest wait for the sake of spreading. Default 5000.
 */

// RFC 9110, 9.2.2: sending these twice does what sending them once does.
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'])

/**
 * Makes a function like `fetch`, which answers the last response, or throws what the last attempt threw.
 *
 * - 429 and 503 with Retry-After: sent again after that time.
 * - 503 without, and failures of the network: sent again after a random, growing time. Never a POST or PATCH, unless told
 *   by `retryUnsafe` or an Idempotency-Key: it may have been processed. A 429 was not, so that any method is sent again.
 * - 429 without Retry-After: no wait helps, so it is answered at once.
 * - A stream in `init.body` can be sent only once.
 *
 * `init.signal` ends it at any time, while it waits too.
 *
 * @param {PoliteOptions} [options]
 * @returns {typeof fetch}
 */
export function politeFetch ({ maxAttempts = 5, maxTotalMs = 60_000, maxWaitMs = 30_000, backoffMs = 500, retryUnsafe = false, slowBelow = 0.2, maxSlowMs = 5000 } = {}) {
  const paces = new Paces(slowBelow)

  return async function fetchPolitely (input, init) {
    const endMs = performance.now() + maxTotalMs
    const original = new Request(input, init)
    const { signal, method, url } = original
    const mayRepeat = retryUnsafe || IDEMPOTENT.has(method) || original.headers.has('idempotency-key')
    const isSentOnce = init?.body instanceof ReadableStream

    await pause(Math.min(paces.waitMs(url), maxSlowMs, maxTotalMs), signal)
    for (let attempt = 1; ; attempt++) {
      const isLast = isSentOnce || attempt >= maxAttempts
      const growingMs = Math.random() * Math.min(maxWaitMs, backoffMs * 2 ** (attempt - 1))
      let waitMs
      try {
        const response = await fetchWithin(endMs, isLast ? original : original.clone(), signal)
        waitMs = waitAfter(response, mayRepeat, growingMs)
        // After a refusal its Retry-After decides alone.
        if (waitMs === null) paces.learn(url, response.headers)
        if (waitMs === null || isLast || waitMs > maxWaitMs || performance.now() + waitMs >= endMs) return response
        // Left unread, a body keeps its connection busy.
        await response.body?.cancel()
      } catch (error) {
        waitMs = growingMs
        if (signal.aborted || !mayRepeat || isLast || performance.now() + waitMs >= endMs) throw error
      }
      await pause(waitMs, signal)
    }
  }
}

/**
 * How long to wait before the same request is sent again; `null` where that is of no use.
 *
 * @param {Response} response
 * @param {boolean} mayRepeat
 * @param {number} growingMs
 */
function waitAfter ({ status, headers }, mayRepeat, growingMs) {
  if (status !== 429 && !(status === 503 && mayRepeat)) return null
  const toldMs = retryAfterMs(headers)
  // Never sooner than told, and not all at the same moment.
  if (toldMs !== null) return toldMs + Math.random() * Math.min(1000, toldMs / 10)
  return status === 503 ? growingMs : null
}

/**
 * @param {number} endMs
 * @param {Request} request
 * @param {AbortSignal} signal
 */
async function fetchWithin (endMs, request, signal) {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(new DOMException('no response within maxTotalMs', 'TimeoutError')), Math.max(0, endMs - performance.now()))
  try {
    return await fetch(request, { signal: AbortSignal.any([signal, late.signal]) })
  } finally {
    clearTimeout(timer) // the body may take as long as it likes
  }
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal
 */
async function pause (ms, signal) {
  signal.throwIfAborted()
  if (ms <= 0) return
  await /** @type {Promise<void>} */(new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', end)
      resolve()
    }, Math.ceil(ms))
    signal.addEventListener('abort', end, { once: true })
  }))
}

/** Spreads the requests to a URL, its query aside, once little is left of a limit there. */
class Paces {
  /** @type {Map<string, { nextMs: number, spacingMs: number, endMs: number }>} */
  #paces = new Map()
  #slowBelow

  /** @param {number} slowBelow */
  constructor (slowBelow) {
    this.#slowBelow = slowBelow
  }

  /**
   * How long the next request is to wait, which takes the next place in the line.
   *
   * @param {string} url
   */
  waitMs (url) {
    const nowMs = performance.now()
    const pace = this.#paces.get(keyOf(url))
    if (pace === undefined || nowMs >= pace.endMs) return 0
    const placeMs = Math.max(nowMs, pace.nextMs)
    pace.nextMs = placeMs + pace.spacingMs
    return placeMs - nowMs
  }

  /**
   * @param {string} url
   * @param {Headers} headers
   */
  learn (url, headers) {
    const low = standingsOf(headers).filter(({ remaining, quota }) => quota === null ? remaining === 0 : remaining < quota * this.#slowBelow)
    const key = keyOf(url)
    const nowMs = performance.now()
    const known = this.#paces.get(key)
    this.#paces.delete(key)
    if (low.length === 0) return
    // What is left, spread over the time until there is more.
    const spacingMs = Math.max(...low.map(({ remaining, resetMs }) => resetMs / (remaining + 1)))
    const endMs = nowMs + Math.max(...low.map(({ resetMs }) => resetMs))
    this.#paces.set(key, { nextMs: Math.max(known?.nextMs ?? 0, nowMs + spacingMs), spacingMs, endMs })
    // The oldest goes, so that many URLs do not fill the memory.
    if (this.#paces.size > 1000) this.#paces.delete(/** @type {string} */(this.#paces.keys().next().value))
  }
}

/** @param {string} url */
function keyOf (url) {
  return url.split(/[?#]/, 1)[0]
}
