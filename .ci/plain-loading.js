// Each test process imports this file first: see "test-env" of tap in package.json. tap registers hooks for the loading of
// modules, for mocks, TypeScript and coverage. They run in a second thread, and take longer than most tests. The tests are
// plain JavaScript and use no mocks, so registering does nothing here. `npm run coverage` does not use this file.
import module, { syncBuiltinESMExports } from 'node:module'

module.register = () => {}
syncBuiltinESMExports()
// Only for this process: a program that a test starts loads its modules as usual. tap would add its options to those of each.
delete process.env.NODE_OPTIONS
process.env.__TAPJS_PROCESSINFO_TESTING_NO_REGISTER__ = String(process.pid)
// A fork has the options of its parent.
process.execArgv = process.execArgv.filter((option) => !option.includes('/@tapjs/'))
