//! Colours: quiet ground, two voices (bullish, bearish), accents for liquidity and levels. Dark where preferred.

pub(super) const STYLE: &str = "
.bg{fill:#ffffff}.plot{fill:none;stroke:#d6dbe3}
.grid{stroke:#eef1f5;stroke-width:1}.day{stroke:#d3d9e3;stroke-width:1}
.axis{fill:#5b6676}.title{fill:#111827;font-weight:650}.sub{fill:#667085}.mark{fill:#344054}
.wu{stroke:#0b8f7a;fill:none;stroke-width:1}.wd{stroke:#d6404a;fill:none;stroke-width:1}
.bu{fill:#0fa88f}.bd{fill:#e5545c}.vol{fill:#94a3b8;fill-opacity:.28}
.s0,.s1,.s2,.s3,.s4,.s5{fill-opacity:.20}.s0{fill:#f59e0b}.s1{fill:#ec4899}.s2{fill:#3b82f6}.s3{fill:#8b5cf6}.s4{fill:#10b981}.s5{fill:#64748b}.s0.air,.s1.air,.s2.air,.s3.air,.s4.air,.s5.air{fill-opacity:.022}
.gu{fill:#14b8a6;fill-opacity:.20}.gd{fill:#f43f5e;fill-opacity:.17}
.gu.done{fill-opacity:.10}.gd.done{fill-opacity:.09}
.ou{fill:#2563eb;fill-opacity:.20;stroke:#2563eb;stroke-opacity:.55;stroke-width:.8}
.od{fill:#c026d3;fill-opacity:.15;stroke:#c026d3;stroke-opacity:.55;stroke-width:.8}
.ou.done{fill-opacity:.08;stroke-opacity:.28}.od.done{fill-opacity:.07;stroke-opacity:.28}
.ou.flip,.od.flip{fill-opacity:.03;stroke-dasharray:4 3;stroke-opacity:.5}
.ku{stroke:#0b8f7a;stroke-width:1.3}.kd{stroke:#d6404a;stroke-width:1.3}
.iu,.id{stroke-width:.9;stroke-dasharray:3 3;stroke-opacity:.6}.iu{stroke:#0b8f7a}.id{stroke:#d6404a}
.pool{stroke:#b45309;stroke-width:1.3;stroke-dasharray:1.5 3}.pool.gone{stroke-opacity:.55}
.lev{stroke:#b45309;stroke-width:.8;stroke-dasharray:1 3;stroke-opacity:.65}
.x{stroke:#b45309;stroke-width:1.7;fill:none}.run{stroke:#b45309;stroke-width:1.2;fill:none}
.prev{stroke:#475467;stroke-width:1;stroke-dasharray:7 4;stroke-opacity:.75}
.prem{fill:#e5545c;fill-opacity:.20}.disc{fill:#0fa88f;fill-opacity:.22}.eq{stroke:#667085;stroke-width:1.2}
.last{stroke:#344054;stroke-width:.8;stroke-dasharray:2 2}.tag{fill:#1f2937}.tagt{fill:#ffffff;font-weight:600}
.halo{paint-order:stroke;stroke:#ffffff;stroke-opacity:.85;stroke-width:2.6;stroke-linejoin:round}
.tu{fill:#08735f;font-weight:600}.td{fill:#b42332;font-weight:600}
.tob{fill:#1d4ed8;font-weight:600}.tod{fill:#a21caf;font-weight:600}.tl{fill:#92400e;font-weight:600}.tp{fill:#475467;font-weight:600}
.ts{fill:#667085;font-weight:600;letter-spacing:.2px}
@media (prefers-color-scheme:dark){
.bg{fill:#0e131b}.plot{stroke:#2a3341}.grid{stroke:#19212c}.day{stroke:#2c3646}
.axis{fill:#93a0b4}.title{fill:#f3f4f6}.sub{fill:#8b97a8}.mark{fill:#cbd5e1}
.wu{stroke:#2cc5ab}.wd{stroke:#f2727a}.bu{fill:#22b89e}.bd{fill:#ec6069}.vol{fill:#64748b;fill-opacity:.35}
.s0,.s1,.s2,.s3,.s4,.s5{fill-opacity:.26}.s0.air,.s1.air,.s2.air,.s3.air,.s4.air,.s5.air{fill-opacity:.022}
.gu{fill:#2dd4bf;fill-opacity:.24}.gd{fill:#fb7185;fill-opacity:.24}.gu.done,.gd.done{fill-opacity:.13}
.ou{fill:#60a5fa;stroke:#60a5fa;fill-opacity:.24}.od{fill:#e879f9;stroke:#e879f9;fill-opacity:.20}.ou.done,.od.done{fill-opacity:.10}.ou.flip,.od.flip{fill-opacity:.04}
.ku,.iu{stroke:#34d3b8}.kd,.id{stroke:#f87f87}
.pool,.lev,.x,.run{stroke:#fbbf24}.prev{stroke:#94a3b8}.eq{stroke:#94a3b8}
.last{stroke:#cbd5e1}.tag{fill:#e5e7eb}.tagt{fill:#111827}
.halo{stroke:#0e131b}.tu{fill:#5eead4}.td{fill:#fda4af}.tob{fill:#93c5fd}.tod{fill:#f0abfc}.tl{fill:#fcd34d}.tp{fill:#cbd5e1}.ts{fill:#a8b3c4}
}";
