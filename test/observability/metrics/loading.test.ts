// In a file of its own: nothing else may have loaded prom-client before.
import { createRequire } from 'node:module'
import t from 'tap'
import { createMetrics } from '../../../lib/observability/metrics/metrics.js'

const { cache } = createRequire(import.meta.url)
const isLoaded = () => Object.keys(cache).some((path) => path.includes('/prom-client/'))

t.test('prom-client is loaded by whoever counts, and by nobody else', async (t) => {
  t.equal(isLoaded(), false)
  await createMetrics({ app: {} })
  t.equal(isLoaded(), true)
})
