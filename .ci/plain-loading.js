// Imported ahead of all else by each test process: see "test-env" of tap in package.json. tap registers hooks that see each module being loaded,
// for mocks, for TypeScript and for coverage. They live in a second thread, and take longer than most tests. The tests are
// plain JavaScript and use no mocks, so nothing is registered. `npm run coverage` does without this file.
import module, { syncBuiltinESMExports } from 'node:module'

module.register = () => {}
syncBuiltinESMExports()
// Only for this process: programs that a test starts load modules as they would anywhere.
delete process.env.NODE_OPTIONS
