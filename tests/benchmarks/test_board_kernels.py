"""What is counted in disassembly, on a few lines as each compiler prints them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import board_kernels
from benchmarks.board_compilers import Figures, figures

VALHALL = """
   IADD_IMM.i32 r6, 0x0, #0x0

   BRANCHZ.eq.reconverge ^r23.h0, offset:6

   LOAD.i128.unsigned.slot0 @r24:r25:r26:r27, ^r24, offset:0
   FMA.f32 r18, r28, r24, ^r18
   FMA.v2f16 r1, r2, r3.h00, ^r1
   FMA.v2f16 r1, r2.h00, r3.h11, ^r1.h00
   NOP.wait0
   BRANCHZ.eq.reconverge 0x0, offset:-7

   FMA.f32 r18, r28, r24, ^r18
SHADER-DB: MESA_SHADER_KERNEL shader: 9 inst, 1 loops, 2:7 spills:fills, 32 work regs
"""
BIFROST = """
clause_0:
    *NOP t0
    +JUMP t1, clause_9
clause_3:
    *FMA.f32 r0:t0, r1, r2, r0 /* 0.000000 */
    +LOAD.i128 t1, r4, r5, @r6
    *FMA.f32 r3:t0, r1, r2, r3
    +JUMP t1, clause_3
SHADER-DB: MESA_SHADER_KERNEL shader: 5 inst, 0:0 spills:fills, 64 work regs
"""
ADRENO = """
MESA: info: mad.f32 r1.x, r2.x, r3.x, r1.x
MESA: info: l4:
MESA: info: ldg.u32 r11.x, g[r9.w], 4
MESA: info: (sy)(rpt3)mad.f32 r8.y, r6.x, (r)r11.x, (r)r8.y
MESA: info: (rpt1)nop
MESA: info: jump #l4
MESA: info: ; CL prog 2/1: 0 half, 12 full, 16 constlen
"""
VIDEOCORE = """
0x3bccde46780037b4 min.pushc -, rf30, rf52       ; mov.ifa rf57, 0
0x39c8318d3803f004 add.ifa tmuau, 0, rf4         ; nop (0xfffffffc / -nan)
0x38863186bb03f000 nop                           ; nop                         ; ldtmu.rf24
0x55e809c6387d9181 fadd.ifa rf6, rf6, rf1        ; fmul rf39, rf31, rf25
0x02fffe6eff20d000 bu.anyap  -56, r:unif (0xfffffff0 / -nan)
0x38003186bb03f000 nop                           ; nop
0x38003186bb03f000 nop                           ; nop
0x38003186bb03f000 nop                           ; nop
SHADER-DB-(null) - MESA_SHADER_COMPUTE shader: 8 inst, 27 max-temps, 0:0 spills:fills
"""
INTEL = """
SIMD16 shader: 6 instructions. 1 loops. 3:4 spills:fills, 1 sends
mov(8)          g8<1>UD         g0.1<0,1,0>UD                   { align1 WE_all 1Q compacted };
LABEL2:
(+f0.0) break(16) JIP:  LABEL1        UIP:  LABEL1              { align1 1H };
send(16)        g1<1>UW         g68<0,1,0>UD    0x088450fd
mad(16)         acc1<1>F        g33<8,8,1>F     g1<8,8,1>F      g21<1,1,1>F { align1 2H };
LABEL1:
while(16)       JIP:  LABEL2                                    { align1 1H };
SIMD32 shader: 6 instructions. 1 loops. 9:9 spills:fills, 1 sends
"""


@pytest.mark.parametrize(
    ("gpu", "text", "expected"),
    [
        ("g610", VALHALL, Figures(6, 6, 4, 3, 1, registers=32, spills=2)),
        ("g52", BIFROST, Figures(4, 2, 2, 2, 1, registers=64, spills=0)),
        ("a740", ADRENO, Figures(6, 6, 4, 4, 1, registers=12, spills=None)),
        ("pi5", VIDEOCORE, Figures(4, 3, 1, 1, 1, registers=27, spills=0)),
        ("jsl", INTEL, Figures(4, 4, 1, 1, 1, registers=None, spills=3)),
    ],
)
def test_the_innermost_loop_is_counted(gpu: str, text: str, expected: Figures) -> None:
    assert figures(gpu, text) == expected


def test_without_the_compilers_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(board_kernels, "COMPILERS", tmp_path)
    monkeypatch.setattr("sys.argv", ["board_kernels"])
    assert board_kernels.main() == 0
    assert capsys.readouterr().out.count("\n") == 1
