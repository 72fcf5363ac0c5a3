// The reference that `npm run docs:api` makes of the docstrings: with nothing that it links to and cannot find, and no type that
// users meet and cannot import.
import { spawnSync } from 'node:child_process'
import t from 'tap'
import { root } from './snippets.js'

t.setTimeout(180_000)

t.test('it can be made, without a warning', async (t) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['node_modules/typedoc/bin/typedoc', '--emit', 'none'], { cwd: root, encoding: 'utf8' })
  t.equal(status, 0, stdout + stderr)
})
