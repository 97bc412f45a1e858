// Joins the flow and draws what its module `chart` gets.

import uPlot from '/vendor/uplot.js'
import { join } from '/runner.js'

const SHOWN = 240 // readings: two minutes
const find = (id) => document.getElementById(id)
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name)
const columns = [[], [], []] // time, processor, mean

/** A colour that canvas understands: light-dark() is none. */
function colour(name) {
  const probe = document.body.appendChild(document.createElement('i'))
  probe.style.color = style(name)
  const found = getComputedStyle(probe).color
  probe.remove()
  return found
}

const line = { stroke: colour('--line'), width: 1 }
const axis = { stroke: colour('--faint'), grid: line, ticks: { show: false } }
const clock = new Intl.DateTimeFormat([], { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
const size = () => ({ width: find('chart').clientWidth - 16, height: find('chart').clientHeight - 16 })
const chart = new uPlot({
  ...size(),
  legend: { show: false },
  cursor: { show: false },
  scales: { y: { range: [0, 100] } },
  axes: [
    { ...axis, size: 30, grid: { show: false }, space: 90, incrs: [1, 2, 5, 10, 15, 30, 60], values: (_, ticks) => ticks.map((tick) => clock.format(tick * 1000)) },
    { ...axis, size: 44, splits: [0, 25, 50, 75, 100], values: (_, ticks) => ticks.map((tick) => `${tick} %`) },
  ],
  series: [
    {},
    { stroke: colour('--faint'), width: 1, points: { show: false } },
    { stroke: colour('--mean'), width: 2.5, points: { show: false }, fill: colour('--shade') },
  ],
}, columns, find('chart'))

addEventListener('resize', () => chart.setSize(size()))
addEventListener('reading', ({ detail: { time, cpu, mean, memory } }) => {
  for (const [at, value] of [time, cpu, mean].entries()) columns[at].push(value)
  if (columns[0].length > SHOWN) for (const column of columns) column.shift()
  chart.setData(columns)
  find('cpu').value = cpu.toFixed(0)
  find('mean').value = mean.toFixed(0)
  find('memory').value = memory.toFixed(0)
})
find('readings').addEventListener('input', () => { find('shown').value = find('readings').value })

function say(state, why) {
  find('state').dataset.state = state
  find('state').textContent = why ? `${state}: ${why}` : state
}

try {
  const flow = await join({ flow: 'browser' })
  for (const state of ['joined', 'away', 'over', 'error']) flow.addEventListener(state, ({ detail }) => say(state, detail))
} catch (error) {
  say('over', error.message)
}
