import type { FastifyRateLimitStore, FastifyRateLimitStoreCtor } from './custom-store.js'

/** Counts a request, as the script of the original does. Returns the count, and the milliseconds until the window ends. */
const INCREMENT = `
  local windowMs, max = tonumber(ARGV[1]), tonumber(ARGV[2])
  local current = redis.call('INCR', KEYS[1])
  if current > 1 and (current <= max or ARGV[3] == '') then
    return { current, redis.call('PTTL', KEYS[1]) }
  end
  if current > 1 and ARGV[3] == 'backoff' then
    windowMs = math.min(windowMs * 2 ^ (current - max - 1), 2 ^ 53 - 1)
  end
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', windowMs))
  return { current, windowMs }
`

/** The same without counting. */
const READ = `
  return { redis.call('GET', KEYS[1]) or 0, math.max(0, redis.call('PTTL', KEYS[1])) }
`

interface ScriptClient {
  eval (script: string, keyCount: number, ...args: ReadonlyArray<string | number>): Promise<[current: unknown, ttl: unknown]>
}

type StoreParams = Readonly<Record<'continueExceeding' | 'exponentialBackoff', unknown>> & {
  readonly routeInfo?: { readonly method?: unknown, readonly url?: string }
}

/**
 * Creates the store of a client of ioredis-mock, by which applications test. It cannot run the scripts of our own store,
 * so it counts by those of the original, under the original's keys.
 */
export function createMockStore (mock: object, nameSpace: string): FastifyRateLimitStoreCtor {
  const client = mock as ScriptClient
  /** Several limiters may have one route, or none. */
  const prefixes = new Set<string>()
  return class MockStore implements FastifyRateLimitStore {
    readonly #prefix: string
    readonly #extension: 'window' | 'backoff' | ''

    constructor (params: object, prefix = nameSpace) {
      const { continueExceeding, exponentialBackoff } = params as StoreParams
      this.#extension = continueExceeding ? 'window' : exponentialBackoff ? 'backoff' : ''
      this.#prefix = prefix
    }

    incr (...[key, callback, timeWindow, max]: Parameters<FastifyRateLimitStore['incr']>): void {
      this.#run(callback, INCREMENT, key, Math.ceil(timeWindow), Math.max(-1, Math.min(max, Number.MAX_SAFE_INTEGER)), this.#extension)
    }

    read (...[key, callback]: Parameters<FastifyRateLimitStore['incr']>): void {
      this.#run(callback, READ, key)
    }

    child (params: object): MockStore {
      const { method = '', url = '' } = (params as StoreParams).routeInfo ?? {}
      let prefix = `${nameSpace}${String(method)}${url}-`
      for (let number = 2; prefixes.has(prefix); number++) prefix = `${nameSpace}${String(method)}${url}-${number}-`
      prefixes.add(prefix)
      return new MockStore(params, prefix)
    }

    #run (callback: Parameters<FastifyRateLimitStore['incr']>[1], script: string, key: string, ...args: Array<string | number>): void {
      client.eval(script, 1, this.#prefix + key, ...args).then(([current, ttl]) => {
        callback(null, { current: Number(current), ttl: Number(ttl) })
      }, callback)
    }
  }
}
