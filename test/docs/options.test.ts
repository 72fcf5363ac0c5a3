import { spawnSync } from 'node:child_process'
import t from 'tap'
import { root } from './snippets.js'

t.test('the options tables are those of the schemas', async (t) => {
  const check = spawnSync('node', ['docs/options-table.js', '--check'], { cwd: root, encoding: 'utf8' })
  t.equal(check.status, 0, check.stderr)
})
