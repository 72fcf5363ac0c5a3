import { existsSync } from 'node:fs'
import t from 'tap'
import { runExample } from '../fixtures/example.js'

t.test('a primary that is killed costs no request, and its replica goes on with what was used', async (t) => {
  const { text, exit, findCells } = await runExample(t, 'sentinel', { REDIS_SENTINELS: '' })
  t.strictSame(exit, [0, null])
  t.match(text, /is killed/)
  for (const phase of ['before', 'failover', 'after']) t.equal(findCells(phase)[4], '0', `${phase}: no errors`)
  const [, granted] = findCells('before').map(Number)
  t.ok(granted >= 60, 'six clients of ten each')
  t.not(text.match(/The primary on (\S+)/)?.[1], text.match(/Now the primary is (\S+)\. /)?.[1])
  t.notOk(existsSync('dump.rdb'), 'no server left its data here')
})
