// The original's own tests against the built compat, from the checkout that ORIGINAL_CHECKOUT names.
import { spawnSync } from 'node:child_process'
import t from 'tap'

const { ORIGINAL_CHECKOUT } = process.env
const skip = ORIGINAL_CHECKOUT === undefined && 'ORIGINAL_CHECKOUT does not name a checkout of @fastify/rate-limit'

t.test('the tests of the original pass, but for the documented corrections', { skip }, async (t) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['test/compat/original/run.js'], { encoding: 'utf8' })
  t.equal(status, 0, { diagnostic: true, stdout, stderr })
  t.match(stdout, /: \d{3} tests, /)
})
