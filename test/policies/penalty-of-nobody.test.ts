// A penalty counts refusals by a client's own limit. Beside limits for all it does nothing, which is no mistake where it came from elsewhere.
import t from 'tap'
import type { RateLimitOptions } from '../../lib/index.js'
import { bareApp } from '../fixtures/app.js'

const all = { max: 5, timeWindow: '1s', by: 'global' } as const

const accepted: ReadonlyArray<readonly [why: string, options: RateLimitOptions]> = [
  ['a rule for all under a default penalty', { penalty: {}, rules: [{ name: 'a', match: '/*', ...all }] }],
  ['a rule\'s penalty under default limits for all', { ...all, rules: [{ name: 'a', match: '/*', penalty: {} }] }],
  ['one limit for all beside one of the client', { penalty: {}, limits: [{ name: 'all', ...all }, { name: 'own', max: 1, timeWindow: '1s' }] }],
  ['a tier with a limit of the client', { ...all, penalty: {}, tiers: { premium: { by: 'client' } } }],
  ['a penalty that is off', { ...all, penalty: false }]
]
for (const [why, options] of accepted) {
  t.test(`register takes ${why}`, async (t) => {
    const { app, plugin } = bareApp(t)
    await app.register(plugin, options)
    t.pass()
  })
}
