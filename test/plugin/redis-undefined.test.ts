// `redis: undefined` is a decorator that is not there yet, or a variable that is not set.
import t, { type Test } from 'tap'
import Fastify from 'fastify'
import { rateLimitPlugin, type RateLimitOptions } from '../../lib/index.js'
import { fastifyRateLimit } from '../../lib/compat/plugin.js'

const WARNING = 'FST_SLUICE_WARN_REDIS_UNDEFINED'

/** The codes of the warnings while an application starts. */
async function captureWarnings (t: Test, plugin: unknown, options: object): Promise<unknown[]> {
  const codes: unknown[] = []
  const record = (warning: Error) => { codes.push('code' in warning ? warning.code : warning.name) }
  process.on('warning', record)
  const app = Fastify()
  t.teardown(() => app.close())
  try {
    await app.register(plugin as typeof rateLimitPlugin, options as RateLimitOptions)
    await app.ready()
    if (plugin === rateLimitPlugin) t.equal((await app.rateLimit.health()).store, 'memory')
  } finally {
    process.off('warning', record)
  }
  return codes
}

const rows: ReadonlyArray<readonly [why: string, plugin: unknown, options: object, codes: readonly string[]]> = [
  ['undefined, given explicitly, warns once', rateLimitPlugin, { max: 1, redis: undefined }, [WARNING]],
  ['nothing given means memory', rateLimitPlugin, { max: 1 }, []],
  ['false means memory', rateLimitPlugin, { max: 1, redis: false }, []],
  ['the options of @fastify/rate-limit mean memory without a warning', fastifyRateLimit, { max: 1, redis: undefined }, []]
]

for (const [why, plugin, options, codes] of rows) {
  t.test(why, async (t) => {
    t.strictSame(await captureWarnings(t, plugin, options), codes)
  })
}
