// A limit on trial changes nothing that clients see, and tells to the request what it would do.
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { limitedApp, MS, type TestApp } from '../fixtures/app.js'
import { Seeded } from '../fixtures/seeded.js'
import { readSeries } from '../observability/metrics/samples.js'

const RUNS = 3
const REQUESTS = 100

type Limits = NonNullable<RateLimitOptions['limits']>

/** A request, and the time that passes before it. */
interface Step {
  readonly afterUs: number
  readonly request: InjectOptions & { url: string }
}

/** Traffic of three clients, none of whom minds a refusal: bursts, and waits of up to a window. */
function trafficOf (random: Seeded): Step[] {
  return Array.from({ length: REQUESTS }, () => ({
    afterUs: random.pick([0, 0, 0, 1, random.nextInt(300) * MS, random.nextInt(1500) * MS]),
    request: {
      url: random.pick(['/', '/', '/no/such/thing']),
      remoteAddress: `203.0.113.${random.pick([1, 1, 2, 3])}`,
      // Now and then more than any limit here can give.
      headers: { cost: String(random.pick([0, 1, 1, 1, 2, 3, 12])) }
    }
  }))
}

/** All that a client sees, but for the date. */
function seen ({ statusCode, statusMessage, headers: { date, ...headers }, rawPayload }: LightMyRequestResponse) {
  return { statusCode, statusMessage, headers, body: rawPayload.toString('latin1') }
}

async function answersOf ({ app, clock }: TestApp, traffic: readonly Step[]) {
  const answers: Array<ReturnType<typeof seen>> = []
  for (const { afterUs, request } of traffic) {
    clock.advance(afterUs)
    answers.push(seen(await app.inject(request)))
  }
  return answers
}

/** What a limit refused, or would have, of each route. */
async function counted ({ rateLimit: { metrics } }: FastifyInstance, limit: string, mode: 'enforce' | 'shadow'): Promise<Record<string, number>> {
  if (metrics === null) throw new Error('nothing is counted')
  const series = Object.entries(await readSeries({ registry: metrics }, 'rate_limit_rejections_total'))
    .filter(([labels]) => labels.includes(`limit="${limit}"`) && labels.includes(`mode="${mode}"`))
  return Object.fromEntries(series.map(([labels, count]) => [/route="([^"]*)"/.exec(labels)?.[1], count]))
}

function refusalsIn (answers: ReadonlyArray<ReturnType<typeof seen>>, traffic: readonly Step[]): Record<string, number> {
  const refusals: Record<string, number> = {}
  answers.forEach(({ statusCode }, index) => {
    const route = traffic[index].request.url === '/' ? '/' : '(unknown)'
    if (statusCode === 429) refusals[route] = (refusals[route] ?? 0) + 1
  })
  return refusals
}

function limited (t: Test, limits: Limits, others: RateLimitOptions = {}): Promise<TestApp> {
  return limitedApp(t, { limits, cost: ({ headers }) => Number(headers.cost), headers: 'both', ...others })
}

for (const algorithm of ['token-bucket', 'sliding-window', 'fixed-window'] as const) {
  t.test(`a ${algorithm} in shadow mode shows in no answer, and counts what it would refuse alone and enforced`, async (t) => {
    let refused = 0
    for (let seed = 1; seed <= RUNS; seed++) {
      const random = new Seeded(seed)
      const traffic = trafficOf(random)
      const real: Limits = [
        { name: 'real', max: 6 + random.nextInt(4), timeWindow: '2s', algorithm: random.pick(['token-bucket', 'sliding-window', 'fixed-window']) },
        { name: 'all', max: 30, timeWindow: '3s', by: 'global' }
      ]
      const trial = { name: 'trial', max: 3 + random.nextInt(4), timeWindow: '1s', algorithm, by: random.pick(['client', 'client', 'global'] as const) } as const
      const penalty = random.pick([false, { strikes: 3, cooldown: '2s' }] as const)

      const without = await answersOf(await limited(t, real, { penalty }), traffic)
      const tried = await limited(t, [...real, { ...trial, mode: 'shadow' }], { penalty })
      t.strictSame(await answersOf(tried, traffic), without, `seed ${seed}: the answers are those without it`)

      const alone = await limited(t, [trial])
      const refusals = refusalsIn(await answersOf(alone, traffic), traffic)
      t.strictSame(await counted(alone.app, 'trial', 'enforce'), refusals)
      refused += Object.values(refusals).reduce((sum, count) => sum + count, 0)
      // A request that is blocked takes nothing from any limit.
      if (penalty === false) t.strictSame(await counted(tried.app, 'trial', 'shadow'), refusals, `seed ${seed}: beside others`)

      const onlyTried = await limited(t, [trial], { mode: 'shadow' })
      const unlimited = await answersOf(await limited(t, [trial], { enabled: false }), traffic)
      t.strictSame(await answersOf(onlyTried, traffic), unlimited, `seed ${seed}: by itself, as without the plugin`)
      t.strictSame(await counted(onlyTried.app, 'trial', 'shadow'), refusals, `seed ${seed}: by itself`)
    }
    t.ok(refused > RUNS * 10, `${refused} refusals to tell`)
  })
}
