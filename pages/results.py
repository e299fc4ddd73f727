"""Results: what the literature reports, measured again; the last run of `python -m bnviz reproduce`."""

import streamlit as st

from bnviz import figures
from bnviz.experiment.addresses import from_query
from bnviz.records import reproduction
from bnviz.records.reproduction import Result
from bnviz.ui import page, settings_table
from bnviz.ui.components.live_chart import live_chart

page.open_page("Results")
try:
    found = reproduction.read_results()
except (FileNotFoundError, ValueError) as error:
    broken = "" if isinstance(error, FileNotFoundError) else f" ({reproduction.RESULTS_FILE.name} cannot be read)"
    st.info(f"Nothing has been measured here yet{broken}. Run `python -m bnviz reproduce`.", icon=":material/science:")
    st.stop()

BADGES = {
    True: ":green-badge[:material/check: {}]",
    False: ":orange-badge[:material/close: {}]",
    None: ":gray-badge[:material/remove: {}]",
}
st.markdown(
    f"What the literature reports about batchnorm on small networks, measured again on {found.data} by this app's own "
    f"trainer ({found.extent}). `python -m bnviz reproduce` measures all of it once more."
)


def show(result: Result) -> None:
    """Draw one experiment: its claims with their verdicts, charts, table, and the button that opens it in the lab."""
    st.subheader(result.title)
    st.caption(result.setting)
    for claim in result.claims:
        badge = BADGES[claim.agrees].format(claim.verdict)
        st.markdown(f"**{claim.text}** ({claim.source}).  \nMeasured: {claim.measured}. {badge}")
    if result.charts:
        for place, (column, chart) in enumerate(zip(st.columns(len(result.charts)), result.charts, strict=True)):
            with column:
                st.markdown(f"**{chart.title}**")
                live_chart(f"chart_results_{result.key}_{place}", figures.reproduction_chart(chart))
    if result.table:
        rows = [[cell.replace(" ± ", "\u00a0±\u00a0") for cell in row] for row in result.table.rows]  # no line breaks
        page.table([dict(zip(result.table.columns, row, strict=True)) for row in rows])
    if st.button("Open in the live lab", key=f"open_{result.key}"):
        settings_table.load(from_query(result.experiment)[0])
        st.switch_page("pages/live_lab.py")


with st.container(key="chart_results"):
    for result in found.results:
        show(result)
