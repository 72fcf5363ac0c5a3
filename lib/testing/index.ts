export type { Clock } from '../common/clock.js'
export { ManualClock } from './manual-clock.js'
