import type { FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import { warnAboutProxies } from '../../../lib/clients/address/proxy-warnings.js'
import { bareApp, limitedApp, remainders } from '../../fixtures/app.js'

const forwarded = (address: string) => ({ url: '/', remoteAddress: '10.0.0.1', headers: { 'x-forwarded-for': address } })

/** The codes of warnings that an application gives, until two of its requests were forwarded. */
async function warningsOf (t: Test, server: FastifyServerOptions): Promise<string[]> {
  const codes: string[] = []
  const note = (warning: Error) => { if ('code' in warning) codes.push(String(warning.code)) }
  process.on('warning', note)
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute' }, server)
  const url = await app.listen({ port: 0 })
  await fetch(url)
  for (let i = 0; i < 2; i++) await fetch(url, { headers: forwarded('203.0.113.9').headers })
  await new Promise(setImmediate)
  process.off('warning', note)
  return codes.filter((code) => code.startsWith('FST_SLUICE'))
}

const rows: ReadonlyArray<readonly [server: FastifyServerOptions, codes: readonly string[], why: string]> = [
  [{}, ['FST_SLUICE_WARN_UNTRUSTED_FORWARDED_FOR'], 'a forwarded request while no proxy is trusted'],
  [{ trustProxy: false }, ['FST_SLUICE_WARN_UNTRUSTED_FORWARDED_FOR'], 'the same, said outright'],
  [{ trustProxy: true }, ['FST_SLUICE_WARN_TRUST_PROXY_TRUE'], 'everybody can forge the address'],
  [{ trustProxy: 1 as never }, ['FST_SLUICE_WARN_TRUST_PROXY_NUMBER', 'FST_SLUICE_WARN_UNTRUSTED_FORWARDED_FOR'], 'Fastify ignores the number'],
  [{ trustProxy: '10.0.0.0/8' }, [], 'the proxy is named'],
  [{ trustProxy: ['10.0.0.0/8'] }, [], 'the proxies are named'],
  [{ trustProxy: () => true }, [], 'the application decides']
]
for (const [server, codes, why] of rows) {
  t.test(`trustProxy: ${String(server.trustProxy)} warns ${codes.length === 0 ? 'of nothing' : `once of each: ${codes}`} (${why})`, async (t) => {
    t.strictSame(await warningsOf(t, server), codes)
  })
}

t.test('a request that was injected warns of nothing: an adapter for serverless platforms sets the address', async (t) => {
  const codes: string[] = []
  const note = (warning: Error) => { if ('code' in warning) codes.push(String(warning.code)) }
  process.on('warning', note)
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute' })
  t.strictSame(await remainders(app, forwarded('203.0.113.9'), { ...forwarded('203.0.113.9'), remoteAddress: '203.0.113.9' }), [4, 4])
  await new Promise(setImmediate)
  process.off('warning', note)
  t.strictSame(codes.filter((code) => code.startsWith('FST_SLUICE')), [])
})

t.test('a forwarded address is believed from a trusted proxy only', async (t) => {
  const { app } = await limitedApp(t, { max: 5, timeWindow: '1 minute' }, { trustProxy: '10.0.0.0/8' })
  t.strictSame(await remainders(app, forwarded('203.0.113.1'), forwarded('203.0.113.2'), forwarded('6.6.6.6, 203.0.113.1')), [4, 4, 3])
  const direct = { ...forwarded('203.0.113.1'), remoteAddress: '198.51.100.1' }
  t.strictSame(await remainders(app, direct), [4])
})

t.test('a trustProxy function that throws leaves the request limited, and is logged', async (t) => {
  const { app, log } = await limitedApp(t, { max: 2, timeWindow: '1 minute' }, { trustProxy: () => { throw new Error('broken') } })
  const answers = [await app.inject(forwarded('203.0.113.1')), await app.inject(forwarded('203.0.113.2')), await app.inject(forwarded('203.0.113.3'))]
  t.strictSame(answers.map(({ statusCode }) => statusCode), [200, 200, 429])
  t.equal(log.filter(({ source }) => source === 'address').length, 1)
})

t.test('trustProxy warns of nothing beside trustedProxies, which decides', async (t) => {
  const codes: string[] = []
  const note = (warning: Error) => { if ('code' in warning) codes.push(String(warning.code)) }
  process.on('warning', note)
  for (const trustProxy of [undefined, true, 1 as never]) {
    const { app } = bareApp(t, { trustProxy })
    for (const trusted of [[], ['10.0.0.0/8']]) t.equal(warnAboutProxies(app, trusted), false, 'and a forwarding header is no surprise')
  }
  await new Promise(setImmediate)
  process.off('warning', note)
  t.strictSame(codes.filter((code) => code.startsWith('FST_SLUICE')), [])
})
