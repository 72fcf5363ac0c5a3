import t from 'tap'
import { runExample } from '../fixtures/example.js'

t.test('a node of a Cluster that is killed costs no request, and its replica goes on with what was used', async (t) => {
  const { text, exit, findCells } = await runExample(t, 'cluster', { REDIS_CLUSTER: '' })
  t.strictSame(exit, [0, null])
  t.match(text, /has the limits of ada, cyd, is killed/, 'clients are concerned')
  for (const phase of ['before', 'failover', 'after']) t.equal(findCells(phase)[4], '0', `${phase}: no errors`)
  const [, granted] = findCells('before').map(Number)
  t.ok(granted >= 90, 'nine clients of ten each')
  t.not(text.match(/The primary on (\S+),/)?.[1], text.match(/Now (\S+) has/)?.[1])
})
