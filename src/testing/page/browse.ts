/**
 * What a page does in the browser: looks closer, filters, searches, tells of an entry. {@link browse} is put into the page
 * as text, so it uses nothing from outside itself but types. The table of entries is in the page from the start, and is
 * where texts are read from; text is only ever set as text.
 */
import type { Colors, Drawing, View } from "./draw.ts"
import type { Scene } from "./scene.ts"

export const browse = (page: Document, scene: Scene, drawing: Drawing, colorNames: ReadonlyArray<string>): void => {
  /** Nobody needs to see less than this, ms. */
  const spanMsMin = 2
  /** How far from a mark a pointer may be, CSS pixels. */
  const reach = 14
  /** The whole run and a little room, ms. */
  const longest = scene.endMs * 1.015
  /** Records that an entry names: buttons to follow them. */
  const followedMax = 12

  /** The beginning of an id: alone, of a whole one, or after a letter for its kind. */
  const idPattern = /\b[0-9a-f]{8}(?=[0-9a-f]{56}\b|\b)|(?<=\b[moir])[0-9a-f]{8}(?=[0-9a-f]{8}\b)/g

  const find = <E extends HTMLElement>(selector: string): E => page.querySelector<E>(selector)!
  const all = <E extends HTMLElement>(selector: string): ReadonlyArray<E> => [...page.querySelectorAll<E>(selector)]
  const [chart, graph] = [find<HTMLCanvasElement>("#chart"), find<HTMLCanvasElement>("#graph")]
  const [tip, entry, search, table] = [
    find("#tip"),
    find("#entry"),
    find<HTMLInputElement>("#search"),
    find("#table")
  ]
  const rows = [...find<HTMLTableElement>("#entries").tBodies[0]!.rows]
  const texts = rows.map((row) => row.textContent.toLowerCase())
  const peers = rows.map((row) => Number(row.dataset["peer"] ?? -1))
  const kindBoxes = all<HTMLInputElement>("input[data-kind]")
  const laneBoxes = all<HTMLInputElement>("input[data-lane]")
  const browser = page.defaultView!
  const view: View = {
    fromMs: 0,
    toMs: longest,
    width: Math.max(1, chart.clientWidth),
    shown: new Uint8Array(rows.length).fill(2),
    lanes: scene.lanes.map(() => true),
    searching: false,
    selected: -1,
    hovered: -1,
    cursorX: -1
  }
  let colors: Colors = {}
  let drawn = true

  const readColors = (): void => {
    const style = browser.getComputedStyle(page.documentElement)
    colors = Object.fromEntries(colorNames.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]))
  }

  const penOf = (canvas: HTMLCanvasElement, height: number): CanvasRenderingContext2D => {
    const ratio = browser.devicePixelRatio
    const [width, tall] = [Math.round(view.width * ratio), Math.round(height * ratio)]
    if (canvas.width !== width || canvas.height !== tall) {
      canvas.width = width
      canvas.height = tall
      canvas.style.height = `${height}px`
    }
    const pen = canvas.getContext("2d")!
    pen.setTransform(ratio, 0, 0, ratio, 0, 0)
    return pen
  }

  const paint = (): void => {
    drawn = true
    view.width = Math.max(1, chart.clientWidth)
    drawing.lanes(penOf(chart, drawing.heightOf(scene)), scene, view, colors)
    drawing.graph(penOf(graph, drawing.graphHeight), scene, view, colors)
    const step = drawing.stepOf(view) / 10
    const at = (ms: number): string => drawing.clock(drawing.realMs(scene, ms), step)
    find("#range").textContent = `${at(view.fromMs)} – ${at(Math.min(view.toMs, scene.endMs))}`
  }

  /** Many changes, one picture. */
  const redraw = (): void => {
    if (!drawn) return
    drawn = false
    browser.requestAnimationFrame(paint)
  }

  const show = (fromMs: number, spanMs: number): void => {
    const span = Math.min(Math.max(spanMs, spanMsMin), longest)
    view.fromMs = Math.min(Math.max(fromMs, 0), longest - span)
    view.toMs = view.fromMs + span
    redraw()
  }
  const spanNow = (): number => view.toMs - view.fromMs
  const zoom = (factor: number, x = view.width / 2): void => {
    const at = drawing.msAt(view, x)
    const span = Math.min(Math.max(spanNow() * factor, spanMsMin), longest)
    show(at - (x / view.width) * span, span)
  }
  const pan = (share: number): void => show(view.fromMs + share * spanNow(), spanNow())
  const whole = (): void => show(0, longest)

  const filter = (): void => {
    const kinds = new Set(kindBoxes.filter(({ checked }) => checked).map((box) => box.dataset["kind"]))
    for (const box of laneBoxes) view.lanes[Number(box.dataset["lane"])] = box.checked
    const wanted = search.value.trim().toLowerCase()
    view.searching = wanted !== ""
    let found = 0
    for (const [i, mark] of scene.marks.entries()) {
      const looked = kinds.has(scene.kinds[mark.kind])
        && (view.lanes[mark.lane] !== false || (peers[i]! >= 0 && view.lanes[peers[i]! + 1] === true))
      const shown = !looked ? 0 : texts[i]!.includes(wanted) ? 2 : 1
      view.shown[i] = shown
      if (shown === 2) found++
      const row = rows[i]!
      if (row.hidden !== (shown !== 2)) row.hidden = shown !== 2
    }
    find("#found").textContent = found === rows.length ? `${found} entries` : `${found} of ${rows.length} entries`
    redraw()
  }

  const make = (name: string, text: string): HTMLElement => {
    const made = page.createElement(name)
    made.textContent = text
    return made
  }

  const button = (text: string, does: () => void): HTMLElement => {
    const made = make("button", text)
    made.addEventListener("click", does)
    return made
  }

  /** Scrolls the table, and not the page. */
  const reveal = (i: number): void => {
    const row = rows[i]!
    if (!row.hidden) table.scrollTop = row.offsetTop - table.clientHeight / 3
  }

  const follow = (id: string): void => {
    search.value = id
    filter()
  }

  const select = (i: number): void => {
    rows[view.selected]?.classList.remove("selected")
    view.selected = i
    const row = rows[i]
    if (row === undefined) {
      entry.replaceChildren(make("p", "Click an entry to read it."))
      return redraw()
    }
    row.classList.add("selected")
    const cells = [...row.cells].map(({ textContent }) => textContent)
    const ids = [...new Set((cells[3] ?? "").match(idPattern) ?? [])]
    entry.replaceChildren(
      make("b", `${cells[0]} s · ${cells[1]}${cells[2] === "" ? "" : ` · ${cells[2]}`}`),
      make("p", cells[3] ?? ""),
      ...ids.slice(0, followedMax).map((id) => button(`follow ${id}`, () => follow(id))),
      button("show in the table", () => {
        reveal(i)
        table.scrollIntoView({ block: "nearest" })
      })
    )
    reveal(i)
    const { atMs } = scene.marks[i]!
    if (atMs < view.fromMs || atMs > view.toMs) show(atMs - spanNow() / 2, spanNow())
    redraw()
  }

  /** The next entry that is shown, forwards or backwards; of a kind, or of any. */
  const step = (by: 1 | -1, kind?: string): void => {
    let i = view.selected
    if (i < 0) i = by > 0 ? scene.marks.findIndex(({ atMs }) => atMs >= view.fromMs) - 1 : rows.length
    do i += by
    while (
      i >= 0 && i < rows.length && (view.shown[i] !== 2 || (kind !== undefined && rows[i]!.dataset["kind"] !== kind))
    )
    if (i >= 0 && i < rows.length) select(i)
  }

  const point = (canvas: HTMLCanvasElement, event: PointerEvent | WheelEvent): readonly [number, number] => {
    const { left, top } = canvas.getBoundingClientRect()
    return [event.clientX - left, event.clientY - top]
  }

  const hover = (i: number, event?: PointerEvent): void => {
    view.hovered = i
    tip.hidden = i < 0 || event === undefined
    if (i < 0 || event === undefined) return
    const [at, kind, where, text = ""] = [...rows[i]!.cells].map(({ textContent }) => textContent)
    tip.textContent = `${at} s ${kind} ${where} ${text.length > 300 ? `${text.slice(0, 300)}…` : text}`
    const { height, width } = tip.getBoundingClientRect()
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, browser.innerWidth - width - 8))}px`
    const below = event.clientY + 18
    tip.style.top = `${below + height > browser.innerHeight ? event.clientY - height - 12 : below}px`
  }

  /** Fingers and buttons that are down, where they were last. */
  const pointers = new Map<number, readonly [number, number]>()
  let moved = 0

  const drag = (canvas: HTMLCanvasElement, event: PointerEvent): void => {
    const before = pointers.get(event.pointerId)!
    const now = point(canvas, event)
    moved += Math.abs(now[0] - before[0])
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1]
    if (other === undefined) show(view.fromMs - ((now[0] - before[0]) / view.width) * spanNow(), spanNow())
    else {
      const apart = Math.max(10, Math.abs(now[0] - other[0]))
      zoom(Math.max(10, Math.abs(before[0] - other[0])) / apart, (now[0] + other[0]) / 2)
    }
    pointers.set(event.pointerId, now)
  }

  const listen = (canvas: HTMLCanvasElement): void => {
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId)
      if (pointers.size === 0) moved = 0
      pointers.set(event.pointerId, point(canvas, event))
    })
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = point(canvas, event)
      view.cursorX = Math.round(x)
      if (pointers.has(event.pointerId)) drag(canvas, event)
      else if (canvas === chart) hover(drawing.nearest(scene, view, x, y, reach), event)
      redraw()
    })
    const up = (event: PointerEvent): void => {
      pointers.delete(event.pointerId)
    }
    canvas.addEventListener("pointerup", (event) => {
      up(event)
      const [x, y] = point(canvas, event)
      if (canvas === chart && moved < 4) select(drawing.nearest(scene, view, x, y, reach))
    })
    canvas.addEventListener("pointercancel", up)
    canvas.addEventListener("pointerleave", () => {
      view.cursorX = -1
      hover(-1)
      redraw()
    })
    canvas.addEventListener("dblclick", (event) => zoom(0.4, point(canvas, event as PointerEvent)[0]))
    canvas.addEventListener("wheel", (event) => {
      const [x] = point(canvas, event)
      // a wheel alone scrolls the page
      if (event.ctrlKey || event.metaKey) zoom(Math.exp(Math.min(120, Math.max(-120, event.deltaY)) / 250), x)
      else if (event.shiftKey && event.deltaX === 0) pan(event.deltaY / view.width)
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan(event.deltaX / view.width)
      else return
      event.preventDefault()
    }, { passive: false })
  }

  const keys: { readonly [key: string]: () => void } = {
    ArrowLeft: () => pan(-0.2),
    ArrowRight: () => pan(0.2),
    ArrowUp: () => step(-1),
    ArrowDown: () => step(1),
    "+": () => zoom(0.5),
    "=": () => zoom(0.5),
    "-": () => zoom(2),
    "0": whole,
    f: () => step(1, "finding"),
    F: () => step(-1, "finding"),
    Escape: () => select(-1)
  }
  chart.addEventListener("keydown", (event) => {
    const does = keys[event.key]
    if (does === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    does()
  })
  find("#in").addEventListener("click", () => zoom(0.5))
  find("#out").addEventListener("click", () => zoom(2))
  find("#whole").addEventListener("click", whole)
  for (const box of [...kindBoxes, ...laneBoxes]) box.addEventListener("change", filter)
  search.addEventListener("input", filter)
  table.addEventListener("click", (event) => {
    const row = (event.target as HTMLElement).closest("tr")
    const i = rows.indexOf(row as HTMLTableRowElement)
    if (i >= 0) select(i)
  })
  for (const each of all<HTMLButtonElement>("button[data-entry]")) {
    each.addEventListener("click", () => {
      const i = Number(each.dataset["entry"])
      show(scene.marks[i]!.atMs - 2_500, 5_000)
      select(i)
    })
  }
  browser.addEventListener("resize", redraw)
  browser.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    readColors()
    redraw()
  })
  for (const canvas of [chart, graph]) listen(canvas)
  readColors()
  filter()
  select(-1)
}
