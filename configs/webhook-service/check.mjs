// Is it an order? If not, why.

const SOLD = new Set(['apple', 'melon', 'pear'])

export default (order, context) => {
  const why = reason(order)
  if (why === undefined) return order
  context.send('bad', { ...order, why })
}

const reason = ({ items }) => {
  if (!Array.isArray(items) || items.length === 0) return 'an order has items'
  const unknown = items.find(({ sku }) => !SOLD.has(sku))
  if (unknown) return `nobody sells ${unknown.sku}`
  if (items.some(({ count }) => !Number.isInteger(count) || count < 1)) return 'a count is a whole number'
}
