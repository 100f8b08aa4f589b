/*
 * The dashboard of ../mxcryptd.json drawn by Grafana's own components (@grafana/ui, @grafana/data), from what record.py has
 * brought from Prometheus. Done here by hand is what Grafana's own pages do between the two: placing panels, results into
 * data frames, field options and overrides.
 */
import React from 'react';
import { createRoot } from 'react-dom/client';
import {
  createTheme, createDataFrame, dateTime, EventBusSrv, FieldType, getDisplayProcessor, reduceField, ThemeContext,
} from '@grafana/data';
import { BigValue, GlobalStyles, PanelChrome, PanelContextProvider, TimeSeries } from '@grafana/ui';
import 'uplot/dist/uPlot.min.css';
import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import recording from 'recording';

const WIDTH = 1800, COLUMNS = 24, CELL = 30, GAP = 8; // as Grafana: 30 pixels a row and 8 between panels
const theme = createTheme({ colors: { mode: 'dark' } });
const range = { from: dateTime(recording.begin * 1000), to: dateTime(recording.end * 1000) };
const context = { eventsScope: 'picture', eventBus: new EventBusSrv() };
const timeRange = { ...range, raw: range };

// ---- from Prometheus' answer to data frames ----

const merged = (a, b) => {
  const out = { ...a };
  for (const [key, value] of Object.entries(b)) {
    out[key] = value && typeof value === 'object' && !Array.isArray(value) ? merged(out[key] ?? {}, value) : value;
  }
  return out;
};

const legend = (format, metric) => format.replace(/\{\{(\w+)\}\}/g, (_, label) => metric[label] ?? '');

/** { id: 'custom.lineWidth', value } and the like. */
const withProperty = (config, { id, value }) =>
  merged(config, id.split('.').reduceRight((inner, part) => ({ [part]: inner }), value));

function configOf(panel, name) {
  const own = panel.fieldConfig.overrides.filter((one) => one.matcher.id === 'byName' && one.matcher.options === name);
  return own.flatMap((one) => one.properties).reduce(withProperty, merged({}, panel.fieldConfig.defaults));
}

function frameOf(panel, target, series, index) {
  const name = legend(target.legendFormat, series.metric) || panel.title;
  const frame = createDataFrame({
    fields: [
      { name: 'Time', type: FieldType.time, values: series.values.map(([at]) => at * 1000), config: {} },
      { name: 'Value', type: FieldType.number, values: series.values.map(([, value]) => Number(value)), labels: series.metric,
        config: { ...configOf(panel, name), displayName: name } },
    ],
  });
  const [time, value] = frame.fields;
  time.display = getDisplayProcessor({ field: time, theme, timeZone: 'utc' });
  const numbers = value.values.filter(Number.isFinite);
  const [min, max] = [Math.min(...numbers), Math.max(...numbers)];
  value.state = { displayName: name, seriesIndex: index, range: { min, max, delta: max - min } };
  value.display = getDisplayProcessor({ field: value, theme, timeZone: 'utc' });
  return frame;
}

const framesOf = (panel) =>
  panel.targets
    .flatMap((target) => recording.data[panel.id][target.refId].map((series) => [target, series]))
    .map(([target, series], index) => frameOf(panel, target, series, index));

// ---- panels ----

function Stat({ panel, width, height }) {
  const [time, field] = framesOf(panel)[0].fields;
  const options = panel.options;
  const value = field.display(reduceField({ field, reducers: options.reduceOptions.calcs })[options.reduceOptions.calcs[0]]);
  const { min, max } = field.state.range;
  const sparkline = { x: time, y: field, timeRange, xMin: timeRange.from.valueOf(), xMax: timeRange.to.valueOf(), yMin: min, yMax: max };
  return (
    <div style={{ position: 'relative', width, height }}>
      <BigValue width={width} height={height} theme={theme} value={value} colorMode={options.colorMode} justifyMode={options.justifyMode}
        graphMode={options.graphMode} textMode={options.textMode} sparkline={options.graphMode === 'none' ? undefined : sparkline} />
    </div>
  );
}

const Series = ({ panel, width, height }) => (
  <TimeSeries frames={framesOf(panel)} structureRev={1} timeRange={timeRange} timeZone={['utc']} width={width} height={height}
    legend={panel.options.legend} options={panel.options} theme={theme} />
);

const drawers = { stat: Stat, timeseries: Series };

function place({ x, y, w, h }) {
  const column = (WIDTH - (COLUMNS - 1) * GAP) / COLUMNS;
  return { position: 'absolute', left: x * (column + GAP), top: y * (CELL + GAP), width: w * (column + GAP) - GAP, height: h * (CELL + GAP) - GAP };
}

function Panel({ panel }) {
  const at = place(panel.gridPos);
  const Drawer = drawers[panel.type];
  if (panel.type === 'row') {
    return <div style={{ ...at, color: theme.colors.text.primary, fontSize: 16, fontWeight: 500, lineHeight: `${at.height}px` }}>{panel.title}</div>;
  }
  return (
    <div style={at}>
      <PanelChrome width={at.width} height={at.height} title={panel.title}>
        {(width, height) => <Drawer panel={panel} width={width} height={height} />}
      </PanelChrome>
    </div>
  );
}

function Dashboard({ dashboard }) {
  const rows = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <PanelContextProvider value={context}>
        <div style={{ position: 'relative', width: WIDTH, height: rows * (CELL + GAP), margin: GAP }}>
          {dashboard.panels.map((panel) => <Panel key={panel.id} panel={panel} />)}
        </div>
      </PanelContextProvider>
    </ThemeContext.Provider>
  );
}

document.body.style.background = theme.colors.background.canvas;
createRoot(document.getElementById('root')).render(<Dashboard dashboard={recording.dashboard} />);
