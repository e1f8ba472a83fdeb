import { graphlib, layout } from '@dagrejs/dagre';
import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { withQuery } from '../router.js';
import type { FlowNode } from './flow-nodes.js';
import { stateIcon } from './bits.js';
import { Icon } from './icon.js';
import { scaleOfFont } from './scale.js';

const HEIGHT = 52;

/** How a graph is drawn: from left to right, or from top to bottom where the screen is narrow. */
interface Shape {
  readonly direction: 'LR' | 'TB';
  readonly width: number;
  /** The most letters of a title in a node. */
  readonly letters: number;
  readonly nodesep: number;
  readonly ranksep: number;
}

const WIDE: Shape = { direction: 'LR', width: 212, letters: 20, nodesep: 24, ranksep: 56 };
const NARROW: Shape = { direction: 'TB', width: 146, letters: 13, nodesep: 12, ranksep: 36 };
const narrow = matchMedia('(width < 48rem)');

interface Point {
  readonly x: number;
  readonly y: number;
}

interface Drawn {
  readonly width: number;
  readonly height: number;
  readonly at: ReadonlyMap<string, Point>;
}

/** The tasks of a workflow in the order in which they run. Solid edges were taken, dashed ones are to come. */
export function Flow({ nodes, chosen }: { nodes: readonly FlowNode[]; chosen: string | undefined }): JSX.Element {
  const [drawn, setDrawn] = useState(narrow.matches ? NARROW : WIDE);
  useEffect(() => {
    const change = () => setDrawn(narrow.matches ? NARROW : WIDE);
    narrow.addEventListener('change', change);
    return () => narrow.removeEventListener('change', change);
  }, []);
  const shape = nodes.map(({ id, after }) => `${id}<${after.join('+')}`).join();
  const { width, height, at } = useMemo(() => place(nodes, drawn), [shape, drawn]);
  const scale = scaleOfFont();
  const states = new Map(nodes.map(({ id, state }) => [id, state]));
  return (
    <div class="graph" tabIndex={0} role="region" aria-label="Graph of the workflow">
      <svg
        class="flow"
        width={width * scale}
        height={height * scale}
        viewBox={`0 0 ${width} ${height}`}
        role="group"
        aria-label="Tasks and their order; the list has the same"
      >
        <defs>
          <marker
            id="arrow"
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="7"
            markerHeight="7"
            orient="auto-start-reverse"
          >
            <path d="M1 1 7 4 1 7" class="arrow" />
          </marker>
        </defs>
        {nodes.flatMap(({ id, after }) =>
          after.map((before) => {
            const [from, to] = [at.get(before), at.get(id)];
            if (!from || !to) return null;
            return (
              <path
                key={`${before} ${id}`}
                class={`edge ${states.get(before) === 'succeeded' ? '' : 'todo'}`}
                d={edge(from, to, drawn)}
                marker-end="url(#arrow)"
              />
            );
          }),
        )}
        {nodes.map((node) => (
          <Node
            key={node.id}
            node={node}
            isChosen={node.id === chosen}
            at={at.get(node.id) ?? { x: 0, y: 0 }}
            shape={drawn}
          />
        ))}
      </svg>
    </div>
  );
}

function Node({
  node,
  isChosen,
  at,
  shape: { width, letters },
}: {
  node: FlowNode;
  isChosen: boolean;
  at: Point;
  shape: Shape;
}): JSX.Element {
  const { title, sub, state, tasks, id } = node;
  const [x, y] = [at.x - width / 2, at.y - HEIGHT / 2];
  const isDim = state === 'waiting' || state === 'scheduled';
  return (
    <a
      href={withQuery({ node: id })}
      class={`node ${isDim ? 'dim' : ''} ${isChosen ? 'on' : ''}`}
      data-state={state}
      {...(isChosen && { 'aria-current': 'true' as const })}
    >
      {tasks.length > 1 && <rect class="box behind" x={x + 5} y={y + 5} width={width} height={HEIGHT} rx="10" />}
      <rect class="box" x={x} y={y} width={width} height={HEIGHT} rx="10" />
      <svg x={x + 13} y={y + 18} width="16" height="16" class="mark">
        <Icon name={stateIcon(state)} />
      </svg>
      <text x={x + 38} y={y + 22}>
        {short(title.length > letters ? title.replace(/\S+\.(?=\S)/, '') : title, letters)}
      </text>
      <text class="under" x={x + 38} y={y + 39}>
        {short(sub, letters + 4)}
      </text>
    </a>
  );
}

function edge(from: Point, to: Point, { direction, width }: Shape): string {
  if (direction === 'TB') {
    const [y1, y2] = [from.y + HEIGHT / 2, to.y - HEIGHT / 2 - 2];
    const middle = (y1 + y2) / 2;
    return `M${from.x} ${y1}C${from.x} ${middle} ${to.x} ${middle} ${to.x} ${y2}`;
  }
  const [x1, x2] = [from.x + width / 2, to.x - width / 2 - 2];
  const middle = (x1 + x2) / 2;
  return `M${x1} ${from.y}C${middle} ${from.y} ${middle} ${to.y} ${x2} ${to.y}`;
}

function short(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function place(nodes: readonly FlowNode[], { direction, width: wide, nodesep, ranksep }: Shape): Drawn {
  const graph = new graphlib.Graph();
  graph.setGraph({ rankdir: direction, nodesep, ranksep, marginx: 8, marginy: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id } of nodes) graph.setNode(id, { width: wide, height: HEIGHT });
  for (const { id, after } of nodes) for (const before of after) if (graph.hasNode(before)) graph.setEdge(before, id);
  layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  const at = new Map(nodes.map(({ id }) => [id, graph.node(id) as { x: number; y: number }]));
  return { width: Math.ceil(width) + 8, height: Math.ceil(height) + 8, at };
}
